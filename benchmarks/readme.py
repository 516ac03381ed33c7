"""Writes the results of `benchmarks/results` into the README.

python -m benchmarks.readme
"""

from __future__ import annotations

from pathlib import Path

from skillgym.evaluation.summary import across_tasks, by_task, markdown, provenance
from skillgym.evaluation.tables import SUITES, TABLES
from skillgym.files import atomic_file, read_csv

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results: written by benchmarks/readme.py -->", "<!-- end of results -->"
SUITE = "papers"
READING = """\
IQM: interquartile mean over the seeds, with its 95 % bootstrap interval, stratified by task where
there are several ([Agarwal et al. 2021](https://arxiv.org/abs/2108.13264)). Only rows with the same
control steps of training can be compared."""


def block(results: Path) -> str:
    """The results section: tables and plots of the suite, as far as it is measured."""
    tables = [(name, TABLES[name], read_csv(results / f"{name}.csv")) for name in SUITES[SUITE]]
    runs = [run for _, _, rows in tables for run in rows]
    if not runs:
        return "Nothing is measured yet; `skillgym bench` does it."
    parts = [markdown([s for _, table, rows in tables for s in by_task(table, rows)]).strip()]
    if together := [s for _, table, rows in tables for s in across_tasks(table, rows)]:
        parts.append(markdown(together).strip())
    parts.append(READING)
    parts.append("\n".join(f"* {what}: {value}" for what, value in provenance(runs).items()))
    parts += [
        f"![Learning curves, {name}, {table.tasks[0].name}]"
        f"(benchmarks/results/{name}_{table.tasks[0].name}.png)"
        for name, table, rows in tables
        if any(row["task"] == table.tasks[0].name for row in rows)
    ]
    parts.append(
        "Every run with its command: [benchmarks/results](benchmarks/results); all curves on one "
        f"page: [{SUITE}.html](benchmarks/results/{SUITE}.html); how to repeat it: "
        "[docs/benchmarks.md](docs/benchmarks.md)."
    )
    return "\n\n".join(parts)


def with_block(text: str, content: str) -> str:
    """The README with another results section."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n\n{content}\n\n{END}{tail}"


def main() -> None:
    """Rewrite the results section of the README."""
    readme = ROOT / "README.md"
    text = with_block(readme.read_text("utf8"), block(ROOT / "benchmarks" / "results"))
    with atomic_file(readme) as temporary:
        temporary.write_text(text, encoding="utf8")


if __name__ == "__main__":
    main()

"""Writes the results of `benchmarks/results` into the README.

python -m benchmarks.readme
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skillgym.evaluation.summary import across_tasks, by_task, markdown, provenance
from skillgym.evaluation.tables import SUITES, TABLES, Table
from skillgym.files import read_csv
from skillgym_envs.core.files import atomic_file

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results: written by benchmarks/readme.py -->", "<!-- end of results -->"
SUITE = "papers"
READING = """\
IQM: interquartile mean over the seeds, with its 95 % bootstrap interval, stratified by task where
there are several ([Agarwal et al. 2021](https://arxiv.org/abs/2108.13264)). The score is measured
with sampled actions where the method's authors sample; `deterministic` is measured with the most
likely actions. Only compare rows with the same number of control steps of training. In kitchen and
office, `skild` learns from the environment's reward alone; `skild-mixed` has the paper's mixture
with the reward of the discriminator
([why](docs/algorithms/skild.md#the-reward-of-the-discriminator)).
[What the authors report](docs/benchmarks.md#what-the-authors-report)."""


def block(results: Path) -> str:
    """The results section: tables and plots of the suite, as far as it is measured."""
    tables = [(name, TABLES[name], read_csv(results / f"{name}.csv")) for name in SUITES[SUITE]]
    parts = [
        part for name, table, rows in tables if rows for part in table_parts(name, table, rows)
    ]
    if not parts:
        return "Nothing is measured yet; `skillgym bench` does it."
    made_with = provenance([row for _, _, rows in tables for row in rows])
    made_with.pop("commit", None)  # one per session; each row tells its own
    return "\n\n".join(
        [
            *parts,
            READING,
            "Made with " + "; ".join(f"{what} {value}" for what, value in made_with.items()) + ".",
            f"All curves on one page: [{SUITE}.html](benchmarks/results/{SUITE}.html). Every run "
            "with its command and commit: [benchmarks/results](benchmarks/results). How to repeat "
            "it: [docs/benchmarks.md](docs/benchmarks.md).",
        ]
    )


def table_parts(name: str, table: Table, rows: list[dict[str, str]]) -> Iterator[str]:
    """Title, results of each task, methods compared across tasks, and the first task's plot."""
    if not rows:
        return
    yield f"**{table.title}**"
    yield markdown(by_task(table, rows)).strip()
    if len(together := across_tasks(table, rows)) > 1:
        yield markdown(together).strip()
    task = rows[0]["task"]
    yield f"![Learning curves: {table.title}, {task}](benchmarks/results/{name}_{task}.png)"


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

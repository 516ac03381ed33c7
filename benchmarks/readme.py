"""Writes the results of `benchmarks/results` into the README.

python -m benchmarks.readme
"""

from __future__ import annotations

import csv
from pathlib import Path

from skillgym.evaluation.benchmark import markdown
from skillgym.files import atomic_file

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results: written by benchmarks/readme.py -->", "<!-- end of results -->"


def block(results: Path) -> str:
    """The results section: table and plot of each results table that exists."""
    parts = []
    if (path := results / "kitchen.csv").exists():
        with path.open(newline="", encoding="utf8") as file:
            parts.append(markdown(list(csv.DictReader(file))).strip())
        parts.append("![Learning curves in the kitchen](benchmarks/results/kitchen_mixed.png)")
        parts.append(
            "Every single run, and how to repeat it: [docs/benchmarks.md](docs/benchmarks.md)."
        )
    return "\n\n".join(parts or ["Nothing is measured yet; `skillgym bench kitchen` does it."])


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

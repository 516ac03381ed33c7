"""`skillgym report`: one page and one CSV file from the results that are there."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.readme import ROOT
from skillgym.cli import main as cli
from skillgym.cli.report_page import write_report
from skillgym.evaluation.tables import TABLES
from skillgym.files import write_csv

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Checks that tags are closed in order; collects texts, ids and what is fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href") and not str(value).startswith("#"):
                self.fetched.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


def write_results(folder: Path) -> None:
    """Results of SPiRL on two kitchen tasks, of SAC on one, and of SkiLD in the maze."""
    folder.mkdir()
    rows, points = [], []
    for task, method, seed, score in (
        ("mixed", "spirl-cl", 0, 3.0),
        ("mixed", "spirl-cl", 1, 3.5),
        ("mixed", "sac", 0, 0.5),
        ("misaligned", "spirl-cl", 0, 2.0),
        ("misaligned", "spirl-cl", 1, 2.5),
        ("maze", "skild", 0, 0.9),
    ):
        cell = {"task": task, "method": method, "seed": seed}
        budget = 200_000 if method == "sac" else 100_000
        rows.append(
            cell
            | {"budget": budget, "steps": budget, "subtasks": score, "return": score}
            | {"episodes": 50, "minutes": 9.5, "commit": "abc", "machine": "two <cores>"}
        )
        for step in (50_000, 100_000):
            points.append(cell | {"step": step, "subtasks": score * step / 1e5, "return": score})
    for name, table in TABLES.items():
        tasks = {task.name for task in table.tasks}
        if own := [row for row in rows if row["task"] in tasks]:
            write_csv(folder / f"{name}.csv", own, list(own[0]))
            own = [point for point in points if point["task"] in tasks]
            write_csv(folder / f"{name}_curves.csv", own, list(own[0]))


def test_the_page_has_every_number_with_its_budget(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    assert cli.main(["report", "--results", str(tmp_path / "results")]) == 0
    page = Page((tmp_path / "results" / "papers.html").read_text("utf8"))
    assert page.fetched == [] and len(set(page.ids)) == len(page.ids)
    texts = page.texts
    first = texts.index("spirl-cl")  # several tasks: the middle half of 0.5, 0.625, 0.75, 0.875
    assert texts[first + 1 : first + 5] == ["mixed, misaligned", "0.69", "0.62 to 0.75", "100,000"]
    start = texts.index("sac")
    assert texts[start : start + 6] == ["sac", "0.50", "one seed", "200,000", "1", "50"]
    start = texts.index("skild")
    assert texts[start : start + 6] == ["skild", "0.90", "one seed", "100,000", "1", "50"]
    assert "0 of 12 cells are measured." in texts  # a table without results is there, too
    assert "two <cores>" in texts and texts.count("abc") == 7
    assert sum(text.startswith("spirl-cl (2 seeds)") for text in texts) == 2  # legends


def test_the_csv_file_has_the_same_numbers(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    write_report("papers", tmp_path / "results", tmp_path / "out" / "page.html")
    with (tmp_path / "out" / "page.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["table"], row["tasks"], row["method"], row["iqm"]) for row in rows] == [
        ("kitchen", "mixed; misaligned", "spirl-cl", "0.6875"),
        ("kitchen", "mixed", "spirl-cl", "3.2500"),
        ("kitchen", "mixed", "sac", "0.5000"),
        ("kitchen", "misaligned", "spirl-cl", "2.2500"),
        ("skild", "maze", "skild", "0.9000"),
    ]
    assert rows[1]["low"] == "3.0000" and rows[2]["low"] == ""
    assert rows[2]["budgets"] == "200000" and rows[0]["seeds"] == "0; 1"


@pytest.mark.parametrize("suite", ["papers", "paper"])
def test_without_results_or_suite_it_says_so(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "--suite", suite, "--results", str(tmp_path)]) == 1
    sentence = "without results" if suite == "papers" else "did you mean 'papers'"
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("row", ["", "no-such-task,spirl-cl,0,1000,1003,1.0,1.0,50\n"])
def test_rows_of_no_task_are_no_results(
    row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kitchen.csv").write_text(
        f"task,method,seed,budget,steps,subtasks,return,episodes\n{row}"
    )
    assert cli.main(["report", "--results", str(tmp_path)]) == 1
    assert "without results" in capsys.readouterr().err
    arguments = ["--minutes", "0", "--folder", str(tmp_path / "no"), "--results", str(tmp_path)]
    assert cli.main(["bench", "kitchen", *arguments]) == 0
    assert not (tmp_path / "kitchen.md").exists()


def test_the_committed_report_is_that_of_the_committed_results(tmp_path: Path) -> None:
    results = ROOT / "benchmarks" / "results"
    write_report("papers", results, tmp_path / "papers.html")
    made = (tmp_path / "papers.csv").read_text()
    assert made == (results / "papers.csv").read_text(), "run skillgym report"

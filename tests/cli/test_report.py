"""`skillgym report`: one page and one CSV file from the results that are there."""

from __future__ import annotations

import csv
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.readme import ROOT
from skillgym.cli import main as cli
from skillgym.cli.report_page import write_report
from skillgym.cli.run_rows import read_runs
from skillgym.evaluation.tables import TABLES
from skillgym.files import read_csv, read_json, write_csv, write_json
from skillgym.runs.folder import CONFIG, RESULT
from skillgym.viz.plots import group_curves

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


def write_run(folder: Path, score: float | None, ended: int = 1003, **config: Any) -> str:
    """A run folder of `skillgym train` that ended after some steps; incomplete without a score."""
    folder.mkdir(parents=True)
    whole = {
        **{"method": "spirl-cl", "world": "skillgym/Kitchen-v0", "options": {"tasks": "mixed"}},
        **{"seed": 0, "steps": 1000, "num_envs": 1, "skill_model": None},
        "agent": {},
        **config,
    }
    write_json(folder / "config.json", whole)
    write_json(folder / "environment.json", {"machine": "two cores", "versions": {}})
    (folder / "command.txt").write_text("skillgym train\n")
    if score is not None:
        scores = {name: score for name in ("subtasks", "return")}
        rest = {"episodes": 50, "steps": ended, "seconds": 60.0, "rates": {}}
        write_json(folder / "result.json", {**scores, **rest})
        points = [
            {"time/step": step, "eval/subtasks": score, "eval/return": score}
            for step in range(500, ended, 500)
        ]
        write_csv(folder / "metrics.csv", points, list(points[0]))
    return str(folder)


def test_runs_that_differ_in_their_seed_are_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other settings are told in the name; other keywords of the world are another task."""
    tight, pendulum = {"target_divergence": 1}, {"world": "Pendulum-v1", "options": {}}
    runs = [
        *(write_run(tmp_path / f"a{seed}", 2.0 + seed, seed=seed) for seed in (0, 1)),
        write_run(tmp_path / "tight", 1.0, agent=tight),
        write_run(tmp_path / "kbts", 3.0, options={"tasks": "kbts"}, agent=tight),
        write_run(tmp_path / "unfinished", None, seed=2),
        write_run(tmp_path / "swing", -200.0, method="sac", **pendulum),
    ]
    page = tmp_path / "page.html"
    assert cli.main(["report", *runs, "--output", str(page)]) == 0
    with page.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["tasks"], row["method"], row["iqm"], row["seeds"]) for row in rows] == [
        ("skillgym/Kitchen-v0 tasks=mixed", "spirl-cl", "2.5000", "0; 1"),
        ("skillgym/Kitchen-v0 tasks=mixed", "spirl-cl (target_divergence=1)", "1.0000", "0"),
        ("skillgym/Kitchen-v0 tasks=kbts", "spirl-cl (target_divergence=1)", "3.0000", "0"),
        ("Pendulum-v1", "sac", "-200.0000", "0"),
    ]
    assert [row["score"] for row in rows] == [*["subtasks"] * 3, "return"]
    made = Page(page.read_text("utf8"))
    assert "0 to best" not in made.texts  # which nobody knows
    assert len(set(made.ids)) == len(made.ids) and not re.search(r"\s", "".join(made.ids))
    capsys.readouterr()
    command = ["report", *runs[:3], "--score", "return", "--output", str(page)]
    assert cli.main(command) == 0
    assert (
        "| skillgym/Kitchen-v0 tasks=mixed | spirl-cl | return | 2.50 |" in capsys.readouterr().out
    )
    assert shlex.join(["skillgym", *command]) in Page(page.read_text("utf8")).texts


def test_what_is_no_complete_run_of_an_agent_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in `runs/*`, where skill models, a demo and an earlier report are, too."""
    monkeypatch.chdir(tmp_path)
    write_run(Path("runs/agent"), 2.0)
    write_run(Path("runs/early"), None, seed=1)
    for name in ("runs/skills/config.json", "runs/demo/demo.json", "runs/report.html"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("{}")
    assert cli.main(["report", *map(str, Path("runs").iterdir())]) == 0
    sentence = (
        "Complete runs: 1. Left out, not complete runs of an agent: "
        "runs/demo, runs/early, runs/report.html, runs/skills."
    )
    assert sentence in capsys.readouterr().out.splitlines()
    assert sentence in Page(Path("runs/report.html").read_text("utf8")).texts


def test_worlds_of_equal_names_are_two_tasks_and_the_order_of_keywords_makes_none(
    tmp_path: Path,
) -> None:
    keywords = [("tasks", "kbts"), ("ordered", True)]
    runs = [
        write_run(tmp_path / "ours", 1.0, options=dict(keywords)),
        write_run(tmp_path / "again", 2.0, options=dict(keywords[::-1]), seed=1),
        write_run(tmp_path / "theirs", 3.0, options=dict(keywords), world="Kitchen-v0"),
    ]
    table, rows, _ = read_runs([Path(run) for run in runs])
    ours, theirs = (
        f"{world} ordered=True tasks=kbts" for world in ("skillgym/Kitchen-v0", "Kitchen-v0")
    )
    assert [row["task"] for row in rows] == [ours, ours, theirs]
    assert [task.score for task in table.tasks] == ["subtasks", "return"]


def test_runs_of_one_seed_and_several_budgets_have_a_curve_each(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "short", 1.0),
        write_run(tmp_path / "long", 2.0, steps=2000, ended=2003),
        write_run(tmp_path / "stopped", 3.0, steps=2000, ended=1700, seed=1),  # by --minutes
    ]
    _, rows, points = read_runs([Path(run) for run in runs])
    assert [row["budget"] for row in rows] == [1000, 2000, 1700]
    curves = group_curves(points, rows[0]["task"])
    assert curves == {
        "spirl-cl, 1,000 steps": [([500, 1000], [1.0] * 2)],
        "spirl-cl, 2,000 steps": [([500, 1000, 1500, 2000], [2.0] * 4)],
        "spirl-cl, 1,700 steps": [([500, 1000, 1500], [3.0] * 3)],
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("result.json", '{"subtasks": 1}', "without 'return'"),
        ("result.json", json.dumps(dict.fromkeys(RESULT, "x")), "its 'subtasks' is 'x'"),
        ("config.json", json.dumps(dict.fromkeys(CONFIG, None)), "its 'method' is None"),
        ("config.json", '{"method": "sac", "world": "w", "seed": 0}', "without 'steps'"),
        ("environment.json", '{"versions": 1}', "its 'versions' is 1"),
        ("metrics.csv", "time/step,eval/subtasks,eval/return\nx,x,x\n", "could not convert"),
        ("metrics.csv", "eval/subtasks,eval/return\n1,1\n", "'time/step'"),
        ("metrics.csv", b"\x80", "can't decode"),
    ],
)
def test_a_damaged_part_of_a_run_is_one_sentence(
    name: str,
    content: str | bytes,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    write_run(run, 1.0)
    (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert cli.main(["report", str(run), "--output", str(tmp_path / "page.html")]) == 1
    error = capsys.readouterr().err
    assert f"{name} (" in error and reason in error and error.count("\n") == 1


def test_a_run_that_lost_its_commands_is_shown(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 1.0)
    (tmp_path / "run" / "command.txt").write_bytes(b"")
    _, (row,), _ = read_runs([tmp_path / "run"])
    assert row["command"] == ""
    (tmp_path / "run" / "command.txt").write_bytes(b"\x80\nskillgym train sac\n")
    _, (row,), _ = read_runs([tmp_path / "run"])
    assert row["command"] == "skillgym train sac"


def test_settings_are_told_where_they_differ(tmp_path: Path) -> None:
    """None is a setting, too; what the config.json of earlier versions lacks is the default."""
    runs = [
        write_run(tmp_path / "plain", 1.0, agent={"gamma": 0.9}),
        write_run(tmp_path / "none", 1.0, agent={"gamma": 0.9, "max_grad_norm": None}),
        write_run(tmp_path / "more", 1.0, agent={"gamma": 0.9}, num_envs=4, skill_model="mine"),
    ]
    old = tmp_path / "old"
    write_run(old, 1.0, seed=1)
    config = read_json(old / "config.json")
    for name in ("agent", "num_envs", "skill_model", "options"):
        del config[name]
    write_json(old / "config.json", config)
    _, rows, _ = read_runs([*map(Path, runs), old])
    assert [row["method"] for row in rows] == [
        "spirl-cl (gamma=0.9)",
        "spirl-cl (gamma=0.9, max_grad_norm=None)",
        "spirl-cl (skill_model=mine, num_envs=4, gamma=0.9)",
        "spirl-cl",
    ]


def test_what_all_runs_have_is_not_told(tmp_path: Path) -> None:
    common = {"gamma": 0.9}
    runs = [
        write_run(tmp_path / "plain", 1.0, agent=common),
        write_run(tmp_path / "slow", 1.0, agent={**common, "tau": 0.1}),
    ]
    _, rows, _ = read_runs([Path(run) for run in runs])
    assert [row["method"] for row in rows] == ["spirl-cl", "spirl-cl (tau=0.1)"]


def test_runs_that_cannot_be_compared_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = [write_run(tmp_path / name, 1.0) for name in ("first", "second")]
    empty = tmp_path / "empty"
    empty.mkdir()
    for runs, sentence in (
        (twice, "first and .*second with the same task, method, settings, seed and budget, exp"),
        ([write_run(tmp_path / "early", None)], "early without the result.json of an agent"),
        ([str(empty)], "empty without the result.json of an agent"),
        ([str(tmp_path / "no"), *twice], "Got .*no, expected a folder with a result.json"),
    ):
        assert cli.main(["report", *runs, "--output", str(tmp_path / "page.html")]) == 1
        error = capsys.readouterr().err
        assert re.search(sentence, error) and error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


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


def test_the_page_has_bars_and_counts_its_cells(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    write_report("papers", tmp_path / "results", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf8")
    # 3.25 of 4 subtasks, from 3.0 to 3.5
    assert "left:81.2%" in text and "left:75.0%;width:12.5%" in text
    texts = Page(text).texts
    planned = 3 * sum(len(table.cells((0,))) for table in TABLES.values())
    assert f"6 cells are measured; the whole suite with 3 seeds has {planned}." in texts
    assert "5 of 30 cells are measured." in texts
    start = texts.index("Where the numbers come from")
    assert "6" in texts[start : texts.index("Every run")]  # runs of one origin


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


def test_the_table_beside_the_page_replaces_no_other_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path / "results")
    run = write_run(tmp_path / "run", 2.0)
    for page, arguments in (
        (tmp_path / "results" / "kitchen.html", ["--results", str(tmp_path / "results")]),
        (tmp_path / "run" / "metrics.html", [run]),
    ):
        before = page.with_suffix(".csv").read_bytes()
        assert cli.main(["report", *arguments, "--output", str(page)]) == 1
        assert f"no other {page.stem}.csv beside it" in capsys.readouterr().err
        assert page.with_suffix(".csv").read_bytes() == before and not page.exists()
    for _ in range(2):  # an earlier report is replaced
        assert cli.main(["report", run, "--output", str(tmp_path / "page.html")]) == 0


@pytest.mark.parametrize(
    ("file", "column"), [("kitchen", "task"), ("kitchen", "return"), ("kitchen_curves", "step")]
)
def test_results_without_a_column_are_one_sentence(
    file: str, column: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    write_results(results)
    rows = [
        {name: value for name, value in row.items() if name != column}
        for row in read_csv(results / f"{file}.csv")
    ]
    write_csv(results / f"{file}.csv", rows, list(rows[0]))
    assert cli.main(["report", "--results", str(results)]) == 1
    error = capsys.readouterr().err
    assert f"{file}.csv (without the column {column!r})" in error and error.count("\n") == 1


def test_a_spreadsheet_may_have_written_the_results(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    for path in (tmp_path / "results").glob("*.csv"):
        path.write_text(path.read_text("utf8"), "utf-8-sig")  # a mark comes first
    assert cli.main(["report", "--results", str(tmp_path / "results")]) == 0


def test_a_score_is_chosen_for_runs_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--score", "return"]) == 1
    assert "Got score='return', expected None" in capsys.readouterr().err


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

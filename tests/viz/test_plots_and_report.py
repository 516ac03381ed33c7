"""Plots and the report page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from skillgym.viz import plots
from skillgym.viz.report import Report, Row, Video

RESULT = {
    "subtasks": 2.25,
    "episodes": 20,
    "steps": 60_000,
    "seconds": 90.0,
    "rates": {"kettle": 0.9, "<b>": 0.5},
}


def test_runs_are_compared_where_all_have_values() -> None:
    steps, table = plots.align([([0, 10, 20], [0.0, 1.0, 2.0]), ([0, 5, 10], [4.0, 4.0, 6.0])])
    assert steps.tolist() == [0, 10]
    np.testing.assert_allclose(table, [[0.0, 1.0], [4.0, 6.0]])


def test_curves_end_where_the_shortest_run_ends() -> None:
    runs = [([10.0, 27.0], [1.0, 2.0]), ([10.0, 25.0], [3.0, 6.0])]
    for curves in (runs, runs[::-1]):  # whichever run went a few steps too far
        steps, table = plots.align(curves)
        assert steps.tolist() == [10.0, 25.0]
        assert sorted(table[:, -1].round(3)) == [1.882, 6.0]


def test_points_are_grouped_by_method_and_seed() -> None:
    points = [
        {"task": task, "method": method, "seed": seed, "step": step, "subtasks": seed + step}
        for task in ("mixed", "other")
        for method in ("a", "b")
        for seed in (0, 1)
        for step in (10, 20)
    ]
    grouped = plots.group_curves(points, "mixed")
    assert grouped["a"] == [([10, 20], [10, 20]), ([10, 20], [11, 21])]
    assert list(grouped) == ["a", "b"]


def test_figure_has_a_line_per_method_and_is_valid_svg() -> None:
    run = ([0.0, 1000.0], [0.0, 2.0])
    figure = plots.learning_curves({"one": [run], "two": [run, run]})
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["one", "two (2 seeds)"]
    assert ElementTree.fromstring(plots.to_svg(figure)).tag.endswith("svg")


def test_the_line_is_the_mean_and_the_band_holds_every_run() -> None:
    runs = [([10.0, 20.0], [value, 2.0]) for value in (0.0, 1.0, 5.0)]
    (axes,) = plots.learning_curves({"a": runs}).axes
    assert axes.lines[0].get_ydata().tolist() == [2.0, 2.0]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.0, 5.0)
    assert axes.get_xlim()[0] == 0.0


def test_a_curve_is_that_of_its_score() -> None:
    point = {"task": "push", "method": "a", "seed": 0, "step": 10, "subtasks": 1.0, "return": 50.0}
    assert plots.group_curves([point], "push", "return") == {"a": [([10.0], [50.0])]}
    labels = [plots.score_label("subtasks", 4.0), plots.score_label("return", None)]
    assert labels == ["subtasks completed (of 4)", "return"]


def test_a_page_has_its_own_colours_and_no_id_twice() -> None:
    figure = plots.learning_curves({name: [([0.0, 1.0], [0.0, 2.0])] for name in "ab"})
    text = plots.to_svg(figure, "one two-")
    ids = {each.get("id") for each in ElementTree.fromstring(text).iter() if each.get("id")}
    used = set(re.findall(r'(?:href="#|url\(#)([^")]*)', text))
    assert used and used <= ids and all(name.startswith("one-two-") for name in ids)
    for index in (0, 1):
        assert f"var(--series-{index}, {plots.COLORS[index]})" in text
    assert "currentColor" in text and plots.INK not in text


def test_returns_below_zero_are_seen() -> None:
    axes = plots.learning_curves({"a": [([0.0, 1.0], [-3.0, 1.0])]}, limit=None).axes[0]
    assert axes.get_ylim()[0] < -3.0


def test_short_runs_are_seen_beside_long_ones() -> None:
    short = {"short": [([25.0, 100.0], [0.0, 1.0])]}
    for last, start, scale in ((1000.0, 25.0, "linear"), (1001.0, 25.0, "log"),
                               (1001.0, 0.0, "linear")):  # fmt: skip
        figure = plots.learning_curves({**short, "long": [([start, last], [0.0, 1.0])]})
        (axes,) = figure.axes
        assert axes.get_xscale() == scale
        assert (axes.get_xlim()[0] == 0.0) == (scale == "linear")
        figure.canvas.draw()
        ticks = [text.get_text() for text in axes.get_xticklabels()]
        assert scale == "linear" or {"50", "100", "200", "500", "1k"} <= set(ticks)


def test_colours_that_come_again_have_another_line() -> None:
    curves = {f"method {k}": [([0.0, 1.0], [0.0, 2.0])] for k in range(9)}
    lines = plots.learning_curves(curves).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 9


def test_the_best_score_is_the_top_where_a_run_comes_half_way() -> None:
    low, high = ([0.0, 10.0], [0.0, 1.9]), ([0.0, 10.0], [0.5, 2.0])
    tops = [
        plots.learning_curves({"a": [low], "b": [run]}, limit=4.0).axes[0].get_ylim()
        for run in (low, high)
    ]
    assert tops[1] == (0.0, 1.02 * 4.0)
    assert tops[0][0] == 0.0 and 1.9 < tops[0][1] < 2.2


def test_long_names_leave_the_curves_half_of_the_figure_and_are_seen_whole() -> None:
    names = [
        f"reskill (residual_kwargs={'x' * 20}, {'a_long_setting=1.0, ' * 6}seed={k})"
        for k in range(8)
    ]
    figure = plots.learning_curves({name: [([0.0, 1.0], [0.0, 2.0])] for name in names})
    plots.to_svg(figure)  # lays out
    legend, curves = (part.get_window_extent() for part in (*figure.legends, *figure.axes))
    assert legend.y0 >= 0.0 and legend.x0 >= curves.x1
    assert figure.axes[0].get_position().width > 0.3


def test_plots_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plots.save(plots.learning_curves({"one": [([0.0, 1.0], [0.0, 2.0])]}), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_row_without_any_subtask_says_so() -> None:
    row = Row.of("SAC", {**RESULT, "rates": {}})
    assert (row.rates, row.minutes, row.steps) == ("none", 1.5, 60_000)


def test_report_is_one_file_with_everything_inside(tmp_path: Path) -> None:
    video = tmp_path / "agent.mp4"
    video.write_bytes(b"frames")
    path = tmp_path / "report.html"
    Report(
        title="Title & more",
        lead="What was done.",
        rows=[Row.of("PriorSAC", RESULT)],
        num_subtasks=4,
        plot="<svg></svg>",
        videos=[Video(path=video, caption="An agent.")],
        commands=["skillgym demo"],
    ).write(path)
    page = path.read_text("utf8")
    assert '<td class="number"><strong>2.25</strong></td>' in page
    assert "60,000" in page and '<td class="number">1.5</td>' in page
    assert "data:video/mp4;base64,ZnJhbWVz" in page
    assert "<svg></svg>" in page
    assert "Title &amp; more" in page and "&lt;b&gt; 50 %" in page and "<b>" not in page
    assert "http" not in page.replace("http://www.w3.org", "")

"""Learning curves. Matplotlib without its global state, so that no display is needed."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

Curve = tuple[Sequence[float], Sequence[float]]
"""Control steps and values of one run."""

COLORS = ("#1b6ca8", "#c8553d", "#2a9d6f", "#8f6bb3", "#b98a1d", "#5d6d7e", "#d977a5", "#3a3a3a")
INK = "#1f2933"
INSIDE = 3
"""Largest number of methods whose legend fits among the curves."""
LINEAR = 10.0
"""Largest ratio of the lengths of two runs that a linear axis can show."""
LEGEND = 48
"""Characters per line of the legend, which leave half of the figure to the curves."""

REPEATABLE: Any = {"svg.hashsalt": "skillgym"}
"""Makes files reproducible."""

LOOK: Any = {
    name: INK
    for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
}


def learning_curves(
    curves: Mapping[str, Sequence[Curve]],
    label: str = "subtasks completed (of 4)",
    title: str = "",
    limit: float | None = 4.0,
) -> Figure:
    """Mean over the runs of each method, with a band from the lowest to the highest run.

    The horizontal axis is logarithmic if the shortest runs would be invisible otherwise.

    Args:
        curves: Runs of each method.
        label: Name of the vertical axis.
        title: Title of the figure.
        limit: The best score, if any. The vertical axis ends there if a run reaches half of it.
    """
    with rc_context(LOOK):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.add_subplot()
        draw_curves(axes, curves)
        steps = [run[0] for runs in curves.values() for run in runs]
        ends = [float(of_run[-1]) for of_run in steps]
        if ends and max(ends) > LINEAR * min(ends) and all(of_run[0] > 0 for of_run in steps):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(left=0.0)
        style(axes, "control steps")
        axes.set_ylabel(label)
        if limit is not None and axes.dataLim.ymax < limit / 2:
            limit = None
        bottom = 0.0 if axes.dataLim.ymin >= 0.0 else None  # returns may be negative
        axes.set_ylim(bottom, limit and 1.02 * limit)  # shows the best score completely
        axes.set_title(title)
        if len(curves) > INSIDE:
            legend = figure.legend(frameon=False, loc="outside right upper")
            lines = sum(len(text.get_text().splitlines()) for text in legend.get_texts())
            figure.set_figheight(max(4.2, 0.21 * lines))
        elif curves:
            axes.legend(frameon=False)
    return figure


def draw_curves(axes: Axes, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Mean and band of the runs of each method.

    Args:
        axes: The axes.
        curves: Runs of each method.
    """
    # Colours repeat after eight methods, which line styles then distinguish.
    for index, (method, runs) in enumerate(curves.items()):
        steps, table = align(runs)
        color = COLORS[index % len(COLORS)]
        line = "-" if index < len(COLORS) else "--"
        name = f"{method} ({len(runs)} seeds)" if len(runs) > 1 else method
        label = textwrap.fill(name, LEGEND)
        axes.plot(
            steps, table.mean(0), line, color=color, label=label, linewidth=2, marker="o", ms=3
        )
        if len(runs) > 1:
            axes.fill_between(steps, table.min(0), table.max(0), color=color, alpha=0.15, lw=0)


def style(axes: Axes, steps: str) -> None:
    """Set the style of all plots over steps.

    Args:
        axes: The axes.
        steps: Name of the horizontal axis.
    """
    axes.set_xlabel(steps)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def align(runs: Sequence[Curve]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of several runs at common steps: the first run's, up to the last that all reached.

    Args:
        runs: R runs of one method.

    Returns:
        Steps (T,) and values (R, T), interpolated linearly.
    """
    last = min(run[0][-1] for run in runs)
    # Evaluations of different runs are a few steps apart; the last one must not be lost.
    steps = np.unique(np.minimum(np.asarray(runs[0][0], float), last))
    return steps, np.array([np.interp(steps, *run) for run in runs])


def score_label(score: str, best: float | None) -> str:
    """Name of the vertical axis.

    Args:
        score: Name of the score.
        best: The largest possible score, if it is known.
    """
    of = "" if best is None else f" (of {best:g})"
    return f"{score}{' completed' if score == 'subtasks' else ''}{of}"


def to_svg(figure: Figure, prefix: str = "") -> str:
    """The figure as an SVG element that inherits the colours of text and lines of its page.

    Lines have the colours `--series-0`, `--series-1` ... of the page if it has them.

    Args:
        figure: The figure.
        prefix: Prefix of ids, so that a page can contain several figures; characters that are not
            allowed in ids become hyphens.
    """
    buffer = io.StringIO()
    with rc_context({**REPEATABLE, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    for index, color in enumerate(COLORS):
        text = text.replace(color, f"var(--series-{index}, {color})")
    text = text.replace(INK, "currentColor")
    prefix = re.sub(r"\W", "-", prefix)
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}", text)


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG and SVG.

    Args:
        figure: The figure.
        path: Path without suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=150)
    with rc_context(REPEATABLE):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def group_curves(
    points: Sequence[Mapping[str, Any]], task: str, score: str = "subtasks"
) -> dict[str, list[Curve]]:
    """Curves of each method on a task, one per seed.

    Args:
        points: Rows with task, method, seed, step and the score.
        task: The task.
        score: Column of the score.
    """
    runs: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for point in points:
        if point["task"] == task:
            steps, values = runs.setdefault((point["method"], str(point["seed"])), ([], []))
            steps.append(float(point["step"]))
            values.append(float(point[score]))
    grouped: dict[str, list[Curve]] = {}
    for (method, _), curve in runs.items():
        grouped.setdefault(method, []).append(curve)
    return grouped

"""`skillgym describe`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, Literal

import gymnasium as gym
import tyro

from skillgym.cli.options import check_id, parse_options
from skillgym.markdown import table_lines

COLUMNS = ("index", "block", "label", "unit", "frame", "source", "noise")

_READABLE = 100  # rows of a block


def main(
    env_id: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ID")],
    *,
    env: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = (),
    format: Literal["text", "markdown", "json"] = "text",
) -> None:
    """List every observation dimension of an environment, with its unit and source.

    Args:
        env_id: Id of the environment, for example skillgym/Kitchen-v0.
        env: Keywords of the environment, for example tasks=misaligned velocities=true.
        format: Format of the table.
    """
    environment = gym.make(check_id(env_id), **parse_options(env))
    try:
        print(describe(environment, format))
    finally:
        environment.close()


def describe(env: gym.Env[Any, Any], format: str = "text") -> str:
    """Description of an environment's observation, action and episode.

    Args:
        env: The environment.
        format: `text`, `markdown` or `json`.

    Returns:
        The text.
    """
    layout = getattr(env.unwrapped, "layout", None)
    rows = [] if layout is None else layout.rows()
    if format == "json":
        return json.dumps({"facts": facts(env), "observation": rows}, indent=2)
    cells = [[_cell(row[column]) for column in COLUMNS] for row in _shortened(rows)]
    return "\n".join(
        [f"{name}: {value}" + "  " * (format == "markdown") for name, value in facts(env).items()]
        + ["", *table(cells, format)]
    )


def facts(env: gym.Env[Any, Any]) -> dict[str, Any]:
    """Facts about an environment besides its observation table."""
    world = getattr(env.unwrapped, "world", None)
    told: dict[str, Any] = {
        "environment": env.spec.id if env.spec else type(env.unwrapped).__name__,
        "observation": str(env.observation_space),
        "action": str(env.action_space),
    }
    if env.has_wrapper_attr("skill_model"):
        name, model = env.get_wrapper_attr("skill_name"), env.get_wrapper_attr("skill_model")
        told["skill"] = f"{name}, at most {model.max_steps} control steps"
    limit = (env.spec and env.spec.max_episode_steps) or getattr(world, "max_episode_steps", None)
    if limit:
        told["episode"] = f"{limit} steps" if world is None else f"{limit} control steps"
    if world is not None:
        told["control step"] = f"{world.control_timestep:.3g} s"
        told["subtasks"] = ", ".join(world.subtasks)
    return told


def table(rows: list[list[str]], format: str) -> list[str]:
    """Lines of a table with the columns `COLUMNS`."""
    if not rows:
        return []
    if format == "markdown":
        return table_lines(COLUMNS, rows)
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [list(COLUMNS), *rows]
    ]


def _shortened(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Keep only the first and last row of a block that is too long to read, such as a picture."""
    sizes = Counter(row["block"] for row in rows)
    names = [None, *(row["block"] for row in rows), None]
    return [
        row
        for row, before, after in zip(rows, names, names[2:], strict=False)
        if sizes[row["block"]] <= _READABLE or not before == row["block"] == after
    ]


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""What the documentation says is true: code runs, commands exist, tables are those of the code."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import gymnasium as gym
import pytest

import skillgym
from skillgym.cli.describe import describe
from skillgym.cli.main import COMMANDS
from skillgym.hub.registry import bundled_directory

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "dev" not in page.relative_to(ROOT).parts]
names = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf8"), re.M | re.S)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=str)
def test_python_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    # PPO collects whole roll-outs before it looks at its budget.
    code = code.replace('PPO("MlpPolicy", env)', 'PPO("MlpPolicy", env, n_steps=4, batch_size=4)')
    code = code.replace('ReSkill("MlpPolicy", env)', 'ReSkill("MlpPolicy", env, rollout_steps=20)')
    exec(compile(re.sub(r"learn\([\d_]+", "learn(12", code), str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_exist(page: Path) -> None:
    for line in "\n".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "skillgym":
            assert words[1] in COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_pages_are_plain_markdown(page: Path) -> None:
    """Directives of Sphinx are blocks of code elsewhere, and their links are dead."""
    assert "```{" not in page.read_text("utf8")


@pytest.mark.parametrize(
    ("page", "env_id", "keyword", "value"),
    [
        ("kitchen", "skillgym/Kitchen-v0", "velocities", True),
        ("maze", "skillgym/Maze-v0", "observation", "image"),
        ("office", "skillgym/Office-v0", "goal", True),
        ("tabletop", "skillgym/Tabletop-v0", "observation", "full"),
        ("fetch", "skillgym/FetchPlace-v0", "goals", False),
        ("fetch", "skillgym/FetchComplexHook-v0", "goals", False),
    ],
)
def test_observation_table_is_that_of_the_code(page, env_id, keyword, value) -> None:
    env = gym.make(env_id, **{keyword: value})
    table = describe(env, "markdown").split("\n\n", 1)[1]
    env.close()
    assert table in (ROOT / f"docs/worlds/{page}.md").read_text("utf8"), (
        f"run `skillgym describe {env_id} --env {keyword}={value} --format markdown`"
    )


def test_reference_numbers_of_datasets_are_those_of_the_bundled_models() -> None:
    page = (ROOT / "docs/datasets.md").read_text("utf8")
    for directory in sorted(bundled_directory().iterdir()):
        dataset = json.loads((directory / "config.json").read_text())["dataset"]
        metrics = json.loads((directory / "metrics.json").read_text())
        numbers = f"{metrics['eval/return']:.2f} | {metrics['eval/subtasks']:.2f}"
        assert f"| `{dataset}` | `{directory.name}` | {numbers} |" in page


def test_version_is_told_once() -> None:
    assert f"version: {skillgym.__version__}" in (ROOT / "CITATION.cff").read_text() or (
        skillgym.__version__ == "0+unknown"  # a source tree that is not installed
    )

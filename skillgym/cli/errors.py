"""Errors of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from skillgym.errors import SkillgymError, nearest


class UnknownCommand(SkillgymError, ValueError):
    """A subcommand has an unknown name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Got the unknown command {name!r}; {nearest(name, known, 'skillgym --help')}"
        )


class UnknownName(SkillgymError, ValueError):
    """Something that is chosen by its name does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], command: str = "") -> None:
        super().__init__(f"Got the unknown {kind} {name!r}; {nearest(name, known, command)}")


class NoWorld(SkillgymError, ValueError):
    """An environment whose actions are skills was given instead of its world."""

    def __init__(self, name: str, world: str) -> None:
        super().__init__(
            f"Got {name!r}, whose actions are skills, expected the world itself, as the method "
            f"chooses the actions; give {world}."
        )


class UntoldWorld(SkillgymError, ValueError):
    """A skill model should act by itself, but does not say in which world."""

    def __init__(self) -> None:
        super().__init__(
            "Got a skill model whose config.json names no world, expected one to act in; give "
            "`pretrain` its world=..., or write the id of its environment into config.json."
        )


class NoDemo(SkillgymError, FileExistsError):
    """A demo should restart in a folder that is not a demo's, or that holds other files."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(
            f"Got the folder {folder} {problem}, expected one with nothing but an earlier demo; "
            "nothing is deleted: give another folder, or empty this one yourself."
        )


class InvalidOption(SkillgymError, ValueError):
    """A `KEY=VALUE` argument cannot be read."""

    def __init__(self, given: str, expected: str = "KEY=VALUE") -> None:
        super().__init__(
            f"Got {given!r}, expected {expected}; for example tasks=misaligned, ordered=true or "
            "'policy_kwargs={\"net_arch\": [64]}' (with its quotes, for the shell)."
        )


class NoRun(SkillgymError, FileNotFoundError):
    """A run folder lacks what is needed."""

    def __init__(self, path: Path, missing: str) -> None:
        super().__init__(
            f"Got {path}, expected a folder with {missing}; "
            "give the folder of a `skillgym train` run."
        )


class NothingToRun(SkillgymError, FileNotFoundError):
    """There is neither a training run nor a skill model of this name."""

    def __init__(self, given: str, skills: Iterable[str]) -> None:
        super().__init__(
            f"Got {given!r}, expected the folder of a `skillgym train` run, or a skill model by "
            f"its folder or name; {nearest(given, skills)}"
        )


class UnusableAgent(SkillgymError, ValueError):
    """The agent of a run cannot be loaded."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Got the agent {path}, which cannot be loaded ({reason}), expected a complete file "
            "and a world with the observations and actions of its run; copy the run again, or "
            "leave out keywords of --env that change these."
        )


class NoSkillModel(SkillgymError, FileNotFoundError):
    """A skill model that does not come with the package has not been trained."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(
            f"Got the skill model {name!r}, expected a bundled one or a run in {folder}; make it "
            f"with `skillgym pretrain {name}`, or give another one with --skill-model."
        )


class CellsFailed(SkillgymError, RuntimeError):
    """Cells of a benchmark, or skill models that they need, ended with an error."""

    def __init__(self, logs: Iterable[Path], reason: str) -> None:
        super().__init__(
            f"Got an error in some cells; read {', '.join(map(str, logs))} and repeat the command; "
            f"the first ends with: {reason}."
        )


class NoCells(SkillgymError, ValueError):
    """No cell of a benchmark is left."""

    def __init__(self, only: Iterable[str], seeds: Iterable[int], tables: Iterable[str]) -> None:
        super().__init__(
            f"Got --only {' '.join(only)} --seeds {' '.join(map(str, seeds))}, which leaves no "
            f"cell of the tables {', '.join(tables)}; --dry-run without them lists the cells."
        )


class NothingComplete(SkillgymError, FileNotFoundError):
    """None of the runs to report is complete."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(
            f"Got {', '.join(map(str, folders))} without the result.json of an agent, expected a "
            "complete run of `skillgym train`; repeat the run's command to finish it, or look at "
            "its metrics.csv or TensorBoard."
        )


class SameRun(SkillgymError, ValueError):
    """Two runs to report do not differ."""

    def __init__(self, first: Path, second: Path) -> None:
        super().__init__(
            f"Got {first} and {second} with the same task, method, settings, seed and budget, "
            "expected runs that differ in one of these; leave one of them out."
        )


class NoResults(SkillgymError, FileNotFoundError):
    """There are no results to report."""

    def __init__(self, folder: Path, tables: Iterable[str]) -> None:
        files = " or ".join(f"{name}.csv" for name in tables)
        super().__init__(
            f"Got the folder {folder} without results, expected {files} with rows in it; make them "
            "with `skillgym bench`, or give another folder with --results."
        )

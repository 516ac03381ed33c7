"""Entry point of the `skillgym` command: finds the subcommand and turns errors into one sentence.

A subcommand is a module of this package with a function `main`, whose keywords tyro turns into
options. Only the module that is needed is imported, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from skillgym.cli.errors import UnknownCommand
from skillgym.errors import SkillgymError

COMMANDS = {
    "worlds": "list worlds, skill environments, skill models, datasets and presets",
    "describe": "list every observation dimension of a world, with its unit and source",
    "collect": "make a dataset with a scripted expert",
    "convert": "make a dataset from recordings of the original projects",
    "pretrain": "train a skill model (or a policy) from a dataset",
    "train": "train an agent with reinforcement learning",
    "evaluate": "evaluate a trained agent, or a skill model's prior",
    "watch": "make a video of a trained agent, or of a skill model's prior",
    "demo": "ten-minute tour: skills, training, comparison, report.html",
    "bench": "run cells of the benchmark (method, task, seed) that are not complete yet",
    "report": "show the results of runs or of the benchmark: tables, intervals and curves",
}

RESUMABLE = ("collect", "pretrain", "train", "demo", "bench")
"""Commands that continue where they were stopped."""


def usage() -> str:
    """Text of `skillgym --help`."""
    lines = [f"  {name:<10} {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: skillgym COMMAND [OPTIONS]",
            "",
            "Skill-based reinforcement learning: pretrained skills as the action space.",
            "",
            *lines,
            "",
            "skillgym COMMAND --help lists the options of a command.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments after the program's name; those of the process if None.

    Returns:
        Exit status: 0, 1 after an error, 2 for an unknown command, 130 after Ctrl-C, SIGTERM or
        SIGHUP.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        from skillgym_envs import __version__

        print(__version__)
        return 0
    try:
        run(arguments[0], arguments[1:])
    except UnknownCommand as error:
        return _complain(str(error), 2)
    except SkillgymError as error:
        return _complain(str(error))
    except BrokenPipeError:  # the reader of a pipe (`| head`) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno is None:
            raise
        return _complain(_os_error(error, arguments[0]))
    except KeyboardInterrupt:
        goes_on = "; the same command continues the work"
        return _complain(f"Interrupted{goes_on * (arguments[0] in RESUMABLE)}.", 130)
    return 0


def run(name: str, arguments: Sequence[str]) -> None:
    """Run one subcommand; errors pass through.

    Args:
        name: Name of the subcommand.
        arguments: Its arguments.
    """
    if name not in COMMANDS:
        raise UnknownCommand(name, COMMANDS)
    import tyro

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
        if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:  # nohup
            signal.signal(hang_up, _hang_up)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = import_module(f"skillgym.cli.{name}")
    tyro.cli(
        command.main,
        prog=f"skillgym {name}",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _terminate(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM, which batch systems send before killing, like Ctrl-C: write a checkpoint."""
    handler = signal.getsignal(signal.SIGINT)
    # Scripts start background jobs with Ctrl-C ignored.
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


def _hang_up(number: int, frame: FrameType | None) -> None:
    """Handle SIGHUP: the terminal is gone, so printing before the checkpoint would fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    _terminate(number, frame)


def _complain(sentence: str, status: int = 1) -> int:
    print(f"skillgym: {sentence}", file=sys.stderr)
    return status


def _os_error(error: OSError, command: str) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        then = "the same command continues the work" if command in RESUMABLE else "try again"
        return f"The disk is full{where}; make room, then {then}."
    return f"{error.strerror}{where}; check the path and its permissions."


if __name__ == "__main__":
    sys.exit(main())

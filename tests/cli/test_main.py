"""The `skillgym` command as a user meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skillgym.cli import main as cli
from skillgym.cli.options import parse_options
from skillgym.cli.pretrain_presets import PRESETS as MODELS
from skillgym.rl.presets import PRESETS as METHODS

COMMANDS = sorted(cli.COMMANDS)


def skillgym(*arguments: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skillgym.cli.main", *arguments]
    environment = os.environ | {"COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_help_lists_every_command_without_importing_torch() -> None:
    program = (
        "import sys; from skillgym.cli.main import main; main(['--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_answers_quickly(command: str) -> None:
    begin = time.monotonic()
    done = skillgym(command, "--help")
    seconds = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    assert f"usage: skillgym {command}" in done.stdout
    assert seconds < 10.0  # torch alone takes two; generous, because tests share the machine


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "did you mean 'train'"),
        (["describe", "skillgym/Kichen-v0"], "did you mean 'skillgym/Kitchen-v0'"),
        (["describe", "Kitchen-v0"], "did you mean 'skillgym/Kitchen-v0'"),
        (["describe", "skillgym/Kitchen-v0", "--env", "tasks=mixd"], "did you mean 'mixed'"),
        (["describe", "skillgym/Kitchen-v0", "--env", "tasks"], "expected KEY=VALUE"),
        (["describe", "skillgym/Kitchen-v0", "--env", "task=mixed"], "did you mean 'tasks'"),
        (["evaluate", "spirl-kitchen", "--episodes", "0"], "episodes"),
        (["evaluate", "spirl-kitchen", "--num-envs", "0"], "num_envs=0"),
        (
            ["evaluate", "spirl-kitchen", "--seed", "-1"],
            "seed=-1, expected an integer from 0 to 4294967295; change this value",
        ),
        (["evaluate", "spirl-kitchen", "--seed", f"{2**64}"], "expected an integer from 0 to"),
        (["watch", "spirl-kitchen", "--seed", "-1"], "seed=-1"),
        (["watch", "spirl-kitchen", "--seed", f"{2**64}"], "expected an integer from 0 to"),
        (["watch", "spirl-kitchen", "--output", "a.txt"], "ends with .mp4 or .gif"),
        (
            ["evaluate", "spirl-kitchen", "--env", "num_envs=3"],
            "Got 'num_envs=3', expected another",
        ),
        (["evaluate", "spirl-kitchen", "--env", "skill_model=a"], "expected another keyword"),
        (["evaluate", "spirl-kitchen", "--env", "preset=sac"], "expected another keyword"),
        (["watch", "spirl-kitchen", "--env", "world=maze"], "expected another keyword"),
        (["watch", "spirl-kitchen", "--env", "render_mode=human"], "expected another keyword"),
        (["report", "--output", "a.csv"], "output='a.csv', expected a file whose name ends with"),
        (
            ["watch", "spirl-kitchen", "--width", "0"],
            "width=0, expected an integer of at least 1; change this value",
        ),
        (["train", "--seed", "-1"], "seed=-1, expected an integer from 0 to"),
        (["train", "--eval-every", "0"], "eval_every=0"),
        (["train", "--checkpoint-every", "-1"], "checkpoint_every=-1"),
        (["describe", "skillgym/Kitchen-v0", "--env", "noise=-1"], "noise=-1"),
        (["collect", "kitchen-play-mini", "--workers", "0"], "workers=0"),
        (["collect", "kitchen-play-mini", "--seed", "-1"], "seed=-1"),
        (["train", "--agent", "gradient_step=2"], "did you mean 'gradient_steps'"),
        (["train", "--agent", 'policy_kwargs={"n": yes}'], "expected a value in JSON or Python's"),
        (["train", "--agent", "policy_kwargs={[1]: 2}"], "expected a value in JSON or Python's"),
        (["train", "--agent", "max_grad_norm=Infinity"], "expected a finite number, text,"),
        (["train", "--env", "noise=1j"], "Got 'noise=1j', expected a finite number, text,"),
        (["train", "--agent", 'policy_kwargs={"net_arch": {64}}'], "lists and mappings of these"),
        (["train", "--minutes", "-1"], "minutes=-1.0, expected a finite number of at least 0"),
        (["train", "--minutes", "nan"], "minutes=nan, expected a finite number of at least 0"),
        (["collect", "kitchen-plai"], "did you mean 'kitchen-play'"),
    ],
)
def test_mistakes_get_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) != 0
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1 and "Traceback" not in error


def raising(error: BaseException) -> Callable[..., None]:
    def run(name: str, arguments: list[str]) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (OSError(28, "No space left on device", "runs/a"), 1, "The disk is full (runs/a)"),
        (PermissionError(13, "Permission denied", "runs/b"), 1, "Permission denied (runs/b)"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_bad_days(
    error: BaseException,
    status: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "run", raising(error))
    assert cli.main(["worlds"]) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_only_commands_that_go_on_promise_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    goes_on = command in {"train", "pretrain", "collect", "bench", "demo"}
    for error in (KeyboardInterrupt(), OSError(28, "No space left on device")):
        monkeypatch.setattr(cli, "run", raising(error))
        cli.main([command])
        assert ("the same command continues" in capsys.readouterr().err) == goes_on


def test_a_closed_pipe_is_silent() -> None:
    done = subprocess.run(
        f"{sys.executable} -m skillgym.cli.main describe skillgym/Kitchen-v0 | head -1",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.stderr == ""


WAITING = """
import pathlib, sys, time
from skillgym.cli import main as cli, worlds

def waiting():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("on the way to the checkpoint", flush=True)
        pathlib.Path(sys.argv[1]).touch()
        raise

worlds.main = waiting
sys.exit(cli.main(["worlds"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_lost_terminal_is_like_ctrl_c(tmp_path: Path) -> None:
    import pty

    checkpoint = tmp_path / "checkpoint"
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
        os.execv(sys.executable, [sys.executable, "-c", WAITING, str(checkpoint)])
    assert os.read(terminal, 5) == b"ready"
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    assert checkpoint.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.main(["worlds"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_describe_tells_every_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["describe", "skillgym/Kitchen-v0", "--env", "velocities=true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[:1].isdigit()] == [str(i) for i in range(89)]
    assert any("rad/s" in line for line in lines)


def test_describe_imports_the_module_of_an_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["describe", "gymnasium.envs.mujoco:Pusher-v5"]) == 0
    assert "Pusher-v5\nobservation: Box(-inf, inf, (23,), float64)" in capsys.readouterr().out
    assert cli.main(["describe", "no_such_module:Pusher-v5"]) == 1
    assert "unknown environment 'no_such_module:Pusher-v5'" in capsys.readouterr().err


def test_describe_tells_the_skills_and_how_long_an_episode_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["describe", "SkillMaze-v0"]) == 0
    printed = capsys.readouterr().out
    assert "skill: spirl-maze, at most 10 control steps\n" in printed
    assert "episode: 2000 control steps\n" in printed


def test_worlds_tells_the_skills_of_each_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["worlds"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " an episode; " in line]
    assert len({line.index("control steps an episode") for line in lines}) == 1  # a column
    line = next(line for line in lines if line.startswith("SkillOffice-v0 "))
    assert "350 control steps an episode; actions: skills of spirl-office" in line


def test_worlds_lists_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["worlds"]) == 0
    _, models, methods = capsys.readouterr().out.split("Presets of ")
    for text, presets in ((models, MODELS), (methods, METHODS)):
        lines = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("  ")]
        assert sorted(name for line in lines for name in line.split(", ")) == sorted(presets)


def test_the_help_of_train_has_every_preset_on_the_line_of_its_family() -> None:
    done = skillgym("train", "--help", columns=1000)
    lines = [line.strip("│ ") for line in done.stdout.splitlines() if line.startswith("│  ")]
    families = [line.partition(": ")[2] for line in lines if line.startswith("- ")]
    known = set[str]()
    for family in families:
        methods, _, tasks = re.sub(r" \([^)]*\)", "", family).partition("; of ")  # no remarks
        ends = [f"-{task}" for task in tasks.split(", ")] if tasks else [""]
        known |= {method + end for method in methods.split(", ") for end in ends}
    assert len(families) == 4 and set(METHODS) <= known


def test_describe_shortens_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["describe", "skillgym/Maze-v0", "--env", "observation=image"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [int(line.split()[0]) for line in lines if line[:1].isdigit()]
    assert found == [0, 1, 2, 3, 4, 3075, 3076, 6147]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("misaligned", "misaligned"),
        ("true", True),
        ("False", False),  # Python's words, too: as text it would count as true
        ("None", None),
        ("0.05", 0.05),
        ('["kettle"]', ["kettle"]),
        ("{'zero_mean': True}", {"zero_mean": True}),
        ("a=b", "a=b"),
    ],
)
def test_options_are_json_or_python_where_they_can_be(text: str, value: Any) -> None:
    assert parse_options([f"key={text}"]) == {"key": value}

"""Floors: a module imports only from floors below its own or from its own package.

Also what may be imported at all: no torch with the packages, no command-line parser in libraries.
"""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "skillgym_envs": 0,
    "skillgym.types": 1,
    "skillgym.errors": 1,
    "skillgym.lazy": 1,
    "skillgym.markdown": 1,
    "skillgym.checks": 2,
    "skillgym.files": 2,
    "skillgym.runs": 3,
    "skillgym.nn": 2,
    "skillgym.data": 2,
    "skillgym.skills": 3,
    "skillgym.hub": 4,
    "skillgym.wrappers": 5,
    "skillgym.pretraining": 5,
    "skillgym.rl": 6,
    "skillgym.evaluation": 7,
    "skillgym.viz": 7,
    "skillgym.cli": 8,
    "benchmarks": 8,
    "examples": 8,
}
MODULES = [
    path
    for package in ("skillgym_envs", "skillgym", "benchmarks", "examples")
    for path in sorted((ROOT / package).rglob("*.py"))
]
ENUMS = "mjt"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str | None:
    """The entry of `FLOORS` that a module belongs to; None for `skillgym/__init__.py`."""
    for unit in FLOORS:
        if module == unit or module.startswith(unit + "."):
            return unit
    return None


def imports_of(path: Path, nested: bool = True) -> Iterator[str]:
    """Absolute names of all imported modules; also those inside functions if `nested`."""
    tree = ast.parse(path.read_text())
    package = name_of(path) if path.stem == "__init__" else name_of(path).rpartition(".")[0]
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_below(path):
    unit = unit_of(name_of(path))
    if unit is None:
        assert path.name == "__init__.py", f"{name_of(path)} stands on no floor: add it to FLOORS"
        return
    for imported in imports_of(path):
        other = unit_of(imported)
        if imported.split(".")[0] not in ("skillgym", "skillgym_envs", "benchmarks", "examples"):
            continue
        if other is None:  # the facade: names such as skillgym.__version__
            assert FLOORS[unit] >= 5, f"{name_of(path)} imports the package itself: {imported}"
        elif other != unit:
            above = FLOORS[other] >= FLOORS[unit]
            assert not above, f"{name_of(path)} (floor {FLOORS[unit]}) imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_command_line_parses_arguments(path):
    if unit_of(name_of(path)) not in ("skillgym.cli", "benchmarks", "examples"):
        parsers = {"argparse", "tyro", "click"}
        assert not parsers & {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_worlds_never_import_torch(path):
    if unit_of(name_of(path)) == "skillgym_envs":
        assert "torch" not in {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_libraries_neither_print_nor_assert_nor_use_global_randomness(path):
    if unit_of(name_of(path)) in ("skillgym.cli", "benchmarks", "examples"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert), f"assert in line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"print in line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_mujoco_enums_are_compared_as_integers(path):
    """From MuJoCo 3.12 on a comparison of a NumPy integer with an enum is silently False.

    So every `mujoco.mjt...` in a comparison stands inside `int(...)`.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        for side in (node.left, *node.comparators):
            assert not bare_enum(side), f"enum compared without int() in line {node.lineno}"


def bare_enum(node: ast.expr) -> bool:
    """Whether an expression has a MuJoCo enum outside of `int(...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "int":
        return False
    if isinstance(node, ast.Attribute) and node.attr.startswith(ENUMS):
        return True
    return any(
        bare_enum(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)
    )


def test_the_enum_scan_finds_what_it_looks_for():
    bad = "model.jnt_type[i] in (mujoco.mjtJoint.mjJNT_HINGE, 3)"
    good = "int(model.jnt_type[i]) == int(mujoco.mjtJoint.mjJNT_HINGE)"
    found = [
        any(bare_enum(side) for side in (tree.left, *tree.comparators))
        for tree in (ast.parse(text, mode="eval").body for text in (bad, good))
    ]
    assert found == [True, False]


IMPORT = """
import sys, time
start = time.perf_counter()
import {package}
print(time.perf_counter() - start)
print([name for name in {forbidden} if name in sys.modules])
"""


@pytest.mark.parametrize("package", ["skillgym_envs", "skillgym"])
def test_importing_pulls_in_no_torch_and_is_quick(package):
    """At most 2 s, best of three because the machine may be busy; no torch, plots or OpenGL."""
    forbidden = ["torch", "stable_baselines3", "minari", "matplotlib", "tyro", "OpenGL", "h5py"]
    script = IMPORT.format(package=package, forbidden=forbidden)
    environment = {**os.environ, "MUJOCO_GL": ""}  # with it MuJoCo itself imports OpenGL
    seconds = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            env=environment,
        )
        elapsed, loaded = done.stdout.splitlines()
        assert loaded == "[]"
        seconds.append(float(elapsed))
    assert min(seconds) <= 2.0


def test_what_help_needs_pulls_in_no_torch():
    code = "import skillgym.cli.pretrain, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_lazy_packages_offer_what_they_export():
    for name in ("pretraining", "skills.ptgm", "skills.reskill", "skills.spirl"):
        package = importlib.import_module(f"skillgym.{name}")
        for exported in package.__all__:
            value = getattr(package, exported)
            assert exported.isupper() or value.__name__ == exported
        with pytest.raises(AttributeError, match="no attribute 'absent'"):
            package.absent  # noqa: B018

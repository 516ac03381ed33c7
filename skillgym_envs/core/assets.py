"""MJCF assets of the installed gymnasium-robotics package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def robotics_assets() -> Path:
    """Folder of the assets; the package itself is not imported.

    Raises:
        ModuleNotFoundError: If the package is not installed.
    """
    package = find_spec("gymnasium_robotics")
    if package is None or package.origin is None:  # pragma: no cover - a declared dependency
        raise ModuleNotFoundError(
            "The MJCF assets of this world come with gymnasium-robotics, which is not installed; "
            "install it with `pip install gymnasium-robotics`."
        )
    return Path(package.origin).parent / "envs" / "assets"

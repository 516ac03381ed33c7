"""Package versions, which are written into datasets, checkpoints and run folders."""

from __future__ import annotations

from importlib import metadata

from skillgym_envs import __version__


def package_versions(*packages: str) -> dict[str, str]:
    """Versions of skillgym and of the given packages, by name."""
    versions = {"skillgym": __version__}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions

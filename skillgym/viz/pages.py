"""Pages: self-contained HTML files, readable in light and dark mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from skillgym_envs.core.files import atomic_file


def write_page(path: Path, template: str, **content: Any) -> None:
    """Write a page, completely or not at all.

    Args:
        path: The file.
        template: Name of a template in `templates`.
        content: Variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skillgym.viz"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(template).render(content)
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf8")

"""Progress bars that do not fill log files."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(**options: Any) -> tqdm[Any]:
    """A bar of `tqdm` on stderr; if that is not a terminal, it is printed at most every 30 s.

    Args:
        **options: Options of `tqdm`.
    """
    interval = 0.1 if sys.stderr.isatty() else 30.0
    # Without a minimum of iterations, `update(0)` redraws a bar whose interval is over.
    return tqdm(mininterval=interval, miniters=0, **options)

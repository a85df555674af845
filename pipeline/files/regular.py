"""Ordinary files alone: a pipe or a device that is named like one would hold a run for ever."""

import os
import stat
from pathlib import Path


def is_regular(path: Path | str) -> bool:
    """Return whether ``path`` is an ordinary file, links followed; what is absent or cannot be looked at is not."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def is_special(path: Path | str) -> bool:
    """Return whether ``path`` is there and neither an ordinary file nor a folder: a pipe, a device, a socket."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - asked of very many
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)

"""The command line, run in this process."""

import sys
from pathlib import Path

import pytest

from singanimation.flows import cli


def augment(*arguments: object) -> int:
    """Run ``augment ARGUMENTS`` and return its exit code."""
    before, sys.argv = sys.argv, ["augment", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.argv = before
    assert isinstance(ended.value.code, int)
    return ended.value.code


def times(output: Path) -> dict[str, int]:
    """When each part of the manifest was last written, by file name."""
    return {path.name: path.stat().st_mtime_ns for path in (output / "manifest").glob("*.parquet")}

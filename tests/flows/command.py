"""The command line, run in this process."""

import sys

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
    return ended.value.code

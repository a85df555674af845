"""Sources that faults kept from being done: a fault that comes again in a later run becomes a row with its reason.

A worker that dies, or an error that nobody foresaw, may be the machine's or the source's own doing. The first time
the source counts as not done, and the next run takes it up again; when that ends in the same way it cannot succeed.
"""

import json
from contextlib import suppress
from pathlib import Path

from singanimation.pipeline.digests import code_version
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.files.atomic import atomic_file

NAME = "faults.json"


class Faults:
    """The faults of earlier runs by the id of the source's real row, in ``runs/faults.json`` of the output."""

    def __init__(self, output: Path) -> None:
        self._path = output / "runs" / NAME
        self._before = self._read()
        self._now = dict(self._before)

    def again(self, row_id: str, fault: str) -> bool:
        """Note a source's fault, and say whether an earlier run ended in the same."""
        if self._before.get(row_id) == fault:
            self._now.pop(row_id, None)
            return True
        self._now[row_id] = fault
        return False

    def gone(self, row_id: str) -> None:
        """Note that a source was done, and forget what was."""
        self._now.pop(row_id, None)

    def save(self) -> None:
        """Keep what is news. A disk that cannot take it is no reason to stop."""
        if self._now != self._before:
            with suppress(MachineError), atomic_file(self._path) as file:
                file.write(json.dumps({"version": code_version(), "sources": self._now}).encode())

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["version"] != code_version():  # faults of ours may be mended
                return {}
            return {str(row_id): str(fault) for row_id, fault in kept["sources"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

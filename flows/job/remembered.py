"""What the models were when an output's last run loaded them: a run without work need not load them to find that out.

Finding what is left to do takes the models' digests, not the models (seconds and gigabytes). They are kept with a key
over all that they are loaded by: the options, the weights files, py-feat where it is here, and the program itself.
Workers that do load them say again what they are, and that is what counts.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

import singanimation
from singanimation.flows.models import Fingerprint
from singanimation.pipeline.digests import code_version, digest
from singanimation.pipeline.errors import MachineError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.pyfeat import unusable
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.weights import ENTRIES, locate

NAME = "models.json"

# What says which sources are worked on, where and how many times, and nothing of the models.
_OF_THE_RUN = {
    "input",
    "data_root",
    "output",
    "limit",
    "workers",
    "resume",
    "retry_failed",
    "splits",
    "seed",
    "runner",
    "address",
}


class RememberedModels:
    """The fingerprint of the last run with the same options and files, in ``runs/models.json`` of the output."""

    def __init__(self, output: Path, settings: Settings, loader: str) -> None:
        self._path = output / "runs" / NAME
        options = settings.model_dump_json(exclude=_OF_THE_RUN)
        self._key = digest(loader, code_version(), options, unusable(), *_files(settings))

    def read(self) -> Fingerprint | None:
        """Return what is remembered, None where nothing is, or something has changed since."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["key"] != self._key:
                return None
            return TypeAdapter(Fingerprint).validate_python(kept["models"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, models: Fingerprint) -> None:
        """Remember them. A disk that cannot take it is no reason to stop."""
        with suppress(MachineError), atomic_file(self._path) as file:
            file.write(json.dumps({"key": self._key, "models": asdict(models)}).encode())


def _files(settings: Settings) -> Iterator[str]:
    """Yield the files that models are made of, each with its size and when it was last written."""
    weights = [path for path in (settings.ganimation, settings.attributes) if path]
    for name in ENTRIES:
        with suppress(WeightsError):  # named by the user and not there: the worker says so
            found = locate(name)
            weights += [found.path] if found else []
    rooms = Path(next(iter(singanimation.__path__))).iterdir()  # links in a checkout, which rglob does not follow
    program = sorted(path for room in rooms for path in room.resolve().rglob("*.py"))
    for path in [*weights, *program]:
        with suppress(OSError):
            state = path.stat()
            yield f"{path}:{state.st_size}:{state.st_mtime_ns}"

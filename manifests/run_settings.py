"""What the runs of an output folder were given, as their ``settings.json`` tell."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from singanimation.pipeline.datasets import Dataset, open_input
from singanimation.pipeline.errors import SinganimationError
from singanimation.pipeline.files.places import place


@dataclass(frozen=True)
class Input:
    """A data set as the options of these names tell it."""

    text: str
    data_root: Path = Path("data")
    splits_from: str | None = None

    def open(self) -> Dataset:
        """Read it. Raises DatasetError, UsageError."""
        return open_input(self.text, self.data_root, self.splits_from)


def run_settings(path: Path | str) -> dict[str, dict[str, Any]]:
    """Return run id -> the settings that each run of an output folder saved; a manifest alone knows of none."""
    path = place(path)
    found = {}
    for file in [*path.glob("runs/*/settings.json"), *path.parent.glob("runs/*/settings.json")]:
        with suppress(OSError, ValueError, RecursionError):
            content = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                found[file.parent.name] = content
    return found


def last_input(path: Path | str) -> Input | None:
    """Return the input of the last run, None where no run told one."""
    settings = run_settings(path)
    return _input(settings[max(settings)]) if settings else None


def open_inputs(path: Path | str) -> tuple[list[Dataset], list[str]]:
    """Return the data sets that the runs were given, as far as they are still there, and a note for each other one.

    Each counts once, with the options of its last run.
    """
    settings = run_settings(path)
    inputs = {each.text: each for run in sorted(settings) if (each := _input(settings[run])) is not None}
    found, notes = [], []
    for each in inputs.values():
        try:
            found.append(each.open())
        except SinganimationError:
            notes.append(f"The runs' input {each.text} is not there any more; rows were not compared with it.")
    return found, notes


def _input(settings: Mapping[str, Any]) -> Input | None:
    text, root, splits = (settings.get(name) for name in ("input", "data_root", "splits_from"))
    if not isinstance(text, str):
        return None
    place = Path(root) if isinstance(root, str) else Path("data")
    return Input(text, place, splits if isinstance(splits, str) else None)

"""What `augment doctor` looks at: each check is a line with what was found and, where it helps, what to do."""

import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.datasets.openface import with_openface
from singanimation.pipeline.errors import SinganimationError, UsageError, WeightsError
from singanimation.pipeline.files.places import check_bucket
from singanimation.pipeline.openface import SCALE
from singanimation.pipeline.pyfeat import unusable
from singanimation.pipeline.runs import existing_folder, free_bytes, human_bytes
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.system import available_memory, sync_file, usable_cores
from singanimation.pipeline.weights import ENTRIES, Entry, locate, verify

OK, NOTE, PROBLEM = "ok", "note", "problem"

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
WORKER_BYTES = 950_000_000
"""What one worker needs of memory (measured: 906 MiB at 128 px with the fast engine and eight edits)."""

_LEAST_DISK = 32_000_000
_SMALL_DISK = 1_000_000_000
_NEEDED = ("torch", "opencv-python-headless", "prefect", "pyarrow", "safetensors")
# With these releases no flow runs under prefect 3.8.8: docs/architecture.md.
_TOO_NEW = {"fastapi": (0, 151), "sqlalchemy": (2, 1), "opencv-python-headless": (5,)}
_SAME = {"opencv-python-headless": ("opencv-python", "opencv-contrib-python")}
"""Distributions that bring the same module."""


@dataclass(frozen=True)
class Finding:
    """One line: ``state`` is ``ok``, ``note`` (the main job runs, but ...) or ``problem`` (it cannot)."""

    name: str
    state: str
    found: str
    advice: str = ""


Check = Callable[[Settings | None, Path], Iterator[Finding]]
"""The settings where an input was named, and the output folder -> lines."""


def check_python(_: Settings | None, __: Path) -> Iterator[Finding]:
    """Python, and the libraries that the main job needs."""
    good = sys.version_info[:2] in PYTHONS
    advice = "" if good else "use Python 3.11 to 3.14: make PYTHON=python3.13 setup"
    yield Finding("Python", OK if good else PROBLEM, f"{platform.python_version()} at {sys.executable}", advice)
    versions = {name: _version(name) for name in dict.fromkeys([*_NEEDED, *_TOO_NEW])}
    lacking = [name for name, found in versions.items() if found is None]
    new = [name for name, limit in _TOO_NEW.items() if (found := versions[name]) and _numbers(found) >= limit]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    if lacking or new:
        wrong = [*(f"{name} is missing" for name in lacking), *(f"{name} {versions[name]} is too new" for name in new)]
        yield Finding("libraries", PROBLEM, "; ".join(wrong), "pip install -c constraints.txt -e . in the checkout")
    else:
        yield Finding("libraries", OK, listed)


def check_machine(_: Settings | None, __: Path) -> Iterator[Finding]:
    """Device, cores and memory."""
    import torch

    if torch.cuda.is_available():
        yield Finding("device", OK, f"{torch.cuda.get_device_name()} (cuda)", "--device auto takes it")
    else:
        yield Finding("device", OK, "CPU, no CUDA device")
    cores = usable_cores()
    yield Finding("threads", OK, f"{cores} cores: {cores} workers of one thread each", "--workers sets another number")
    memory = available_memory()
    if memory is None:
        yield Finding("memory", NOTE, "cannot be told on this system", f"a worker needs {human_bytes(WORKER_BYTES)}")
        return
    fit = int(memory // WORKER_BYTES)
    found = f"{human_bytes(memory)} available, a worker needs {human_bytes(WORKER_BYTES)}"
    if fit < 1:
        yield Finding("memory", PROBLEM, found, "end other programs")
    else:
        yield Finding("memory", OK if fit >= cores else NOTE, found, "" if fit >= cores else f"use --workers {fit}")


def _bucket(output: Path) -> Finding:
    try:
        check_bucket(output)
    except UsageError as error:
        return Finding("disk", PROBLEM, str(error), "name another --output")
    return Finding("disk", OK, f"the bucket of {output} answers; it has no end")


def check_disk(_: Settings | None, output: Path) -> Iterator[Finding]:
    """Free space, and whether the output folder can be written; of a bucket, whether it answers."""
    free = free_bytes(output)
    if free is None:
        yield _bucket(output)
        return
    state = PROBLEM if free < _LEAST_DISK else NOTE if free < _SMALL_DISK else OK
    advice = "" if state == OK else "free some space, or name another --output; --dry-run says what a run needs"
    yield Finding("disk", state, f"{human_bytes(free)} free for {output}", advice)
    place = existing_folder(output)
    try:
        with tempfile.NamedTemporaryFile(dir=place) as file:
            file.write(b"doctor")
            file.flush()
            sync_file(file.fileno())
    except OSError as error:
        yield Finding("write test", PROBLEM, f"{place}: {error.strerror}", "name another --output")
    else:
        yield Finding("write test", OK, f"{place} can be written")


def check_weights(_: Settings | None, __: Path) -> Iterator[Finding]:
    """Every weights file of the registry: where it is, or how to get it."""
    for entry in ENTRIES.values():
        yield _weights(entry)


def _weights(entry: Entry) -> Finding:
    name, ships = f"weights {entry.name}", entry.url is None
    try:
        found = locate(entry.name)
    except WeightsError as error:
        return Finding(name, PROBLEM if ships else NOTE, str(error), f"unset {entry.variable}, or correct it")
    if found is None:
        advice = "install the package again" if ships else f"augment weights fetch {entry.name}"
        return Finding(name, PROBLEM if ships else NOTE, f"missing; only needed for: {entry.purpose}", advice)
    if found.where == "package":
        verdict = verify(entry, found.path)
        if not verdict.good:
            return Finding(name, PROBLEM, f"{found.path}: {verdict.sentence}", "install the package again")
    return Finding(name, OK, f"{found.where}: {found.path}")


def check_estimators(settings: Settings | None, _: Path) -> Iterator[Finding]:
    """Which estimators of action units --aus can name."""
    yield Finding("--aus embedded", OK, "ships with the package")
    why = unusable()
    if why is None:
        yield Finding("--aus pyfeat", OK, "py-feat and its weights are here")
    else:
        yield Finding("--aus pyfeat", NOTE, "cannot be used", why)
    if settings is None:
        yield Finding(
            "--aus openface", OK, f"reads CSV files beside the pictures (0..{SCALE:g})", "--input checks them"
        )
        return
    try:
        sources = with_openface(_opened(settings)).sources
    except SinganimationError as error:
        yield Finding("--aus openface", NOTE, "cannot be used", str(error).removeprefix("--aus openface: "))
    else:
        have = sum(source.action_units is not None for source in sources)
        yield Finding("--aus openface", OK, f"{have:,} of {len(sources):,} pictures have OpenFace's action units")


def check_dataset(settings: Settings | None, _: Path) -> Iterator[Finding]:
    """Whether the input is recognised, and what is odd in it."""
    if settings is None:
        yield Finding("data set", OK, "none named", "augment doctor --input FOLDER says how it is read")
        return
    try:
        dataset = _opened(settings)
    except SinganimationError as error:
        yield Finding("data set", PROBLEM, f"{settings.input} is not recognised", str(error))
        return
    counts = {split: sum(labels.values()) for split, labels in dataset.counts().items()}
    listed = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    state = OK if set(counts) & set(settings.splits) or "all" in settings.splits else PROBLEM
    advice = "" if state == OK else f"name a split with --splits: {', '.join(counts)}"
    yield Finding("data set", state, f"{dataset.name}: {len(dataset.sources):,} pictures ({listed})", advice)
    for warning in dataset.warnings:
        yield Finding("data set", NOTE, warning)


@lru_cache(maxsize=1)
def _opened(settings: Settings) -> Dataset:
    """Read the input once for all checks."""
    return open_dataset(settings.model_copy(update={"aus": "auto"}))


def _version(name: str) -> str | None:
    for each in (name, *_SAME.get(name, ())):
        with suppress(PackageNotFoundError):
            return version(each)
    return None


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split("+")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())

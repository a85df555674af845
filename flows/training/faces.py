"""Faces for a generator's training from any labelled input: cut, with landmarks and AUs, kept beside the output."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.training.face_search import find_all
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTION_INDEX
from singanimation.pipeline.face.framing import CROP_WITH_MARGIN, MARGIN
from singanimation.pipeline.files.atomic import atomic_file, disk_fault
from singanimation.pipeline.runs import make_folder

if TYPE_CHECKING:
    from singanimation.pipeline.datasets.dataset import Dataset
    from singanimation.pipeline.records import Source
    from singanimation.stages.expansion.training.loop import TrainingFaces

FEWEST_FACES = 8
_CHUNK = 64
_PARTS = ("pictures", "landmarks", "action_units", "labels")

Say = Callable[[str], None]


@dataclass(frozen=True)
class PreparedFaces:
    """``train`` is trained on; ``shown`` are crops uint8 (N, 128, 128, 3) for the contact sheet.

    ``au_estimator`` is whose AUs they are (for the generator's card), ``licence`` the data's where it says one,
    ``names`` the source ids of the faces that are trained on, None where they were kept without.
    """

    train: "TrainingFaces"
    shown: np.ndarray
    au_estimator: str
    licence: str | None = None
    names: tuple[str, ...] | None = None


def prepare_faces(text: str, folder: Path, workers: int, say: Say) -> PreparedFaces:
    """Return the faces of ``--input text``: a Parquet with crops, landmarks and AUs as it is, all else found and cut.

    What was found is kept below ``folder`` and not sought again; ``say`` gets sentences for the user. Splits named
    validation or test are only shown. Raises DatasetError, MachineError.
    """
    path = Path(text).expanduser()
    if _has_everything(path):
        return _from_parquet(path, say)
    from singanimation.pipeline.datasets import open_input
    from singanimation.stages.action_units.weights import file_digest, packaged_weights

    dataset = open_input(text)
    for warning in dataset.warnings:
        say(warning)
    estimator = f"embedded@{file_digest(packaged_weights())[:12]}"
    place = folder / _digest(dataset, estimator)
    if not (place / "faces.json").is_file():
        _find_all(dataset, place, workers, say)
    arrays, count, names = _kept(place)
    train = _training_faces(arrays, slice(0, count))
    _check_count(text, len(train.pictures))
    held_out = arrays[0][count:]
    if not len(held_out):
        say(f"{text} has no validation split: the contact sheet shows faces that are trained on.")
    own = any(source.action_units is not None for source in dataset.sources)
    shown = _middle(held_out if len(held_out) else train.pictures)
    return PreparedFaces(train, shown, "openface" if own else estimator, dataset.licence, names)


def _kept(place: Path) -> tuple[list[np.ndarray], int, tuple[str, ...] | None]:
    """Return the arrays of ``_PARTS``, mapped from disk, how many faces are trained on, and their names if known."""
    try:
        kept = json.loads((place / "faces.json").read_text())
        count = int(kept["train"])
        names = tuple(map(str, kept["names"]))[:count] if "names" in kept else None
        return [np.load(place / f"{name}.npy", mmap_mode="c") for name in _PARTS], count, names
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{place} is damaged ({error}); delete it, and its faces are found again.") from None


def _has_everything(path: Path) -> bool:
    """Whether ``path`` is a Parquet like faces.parquet: aligned pictures, landmarks, AUs and splits."""
    from singanimation.pipeline.datasets.readers.parquet import parquet_schema

    if not path.is_file() or path.suffix.lower() != ".parquet":
        return False
    return {"image", "landmarks", "action_units", "split", "face_id"} <= set(parquet_schema(path).names)


def _check_count(text: str, count: int) -> None:
    if count < FEWEST_FACES:
        raise DatasetError(f"--input {text} has {count} usable faces to train on; at least {FEWEST_FACES} are needed.")


def _from_parquet(path: Path, say: Say) -> PreparedFaces:
    from singanimation.stages.action_units.training.faces import load_faces, read_split

    faces = load_faces(path, "train")
    _check_count(str(path), len(faces))
    if not np.isfinite(faces.landmarks).all():
        raise DatasetError(f"{path} has landmarks that are no numbers; the teacher moves faces by them.")
    column = read_split(path, "train", ["label", "split"])[0].get("label")
    labels = [-1] * len(faces) if column is None else [EMOTION_INDEX.get(str(name), -1) for name in column]
    arrays = [faces.pictures, faces.landmarks, faces.action_units, np.array(labels, np.int64)]
    train = _training_faces(arrays, slice(None))
    try:
        shown = load_faces(path, "validation").crops()
    except DatasetError:
        say(f"{path} has no rows whose split is validation: the contact sheet shows faces that are trained on.")
        shown = faces.crops()
    return PreparedFaces(train, shown, "embedded", names=faces.face_ids or None)


def _training_faces(arrays: Sequence[np.ndarray], rows: slice) -> "TrainingFaces":
    from singanimation.stages.expansion.training.loop import TrainingFaces

    return TrainingFaces(*(array[rows] for array in arrays))


def _middle(pictures: np.ndarray) -> np.ndarray:
    return pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _digest(dataset: "Dataset", estimator: str) -> str:
    """Tell apart what was found in other pictures, by another estimator, or without labels, as it once was."""
    found = hashlib.sha256(f"{estimator} labels".encode())
    for source in dataset.sources:
        state = source.path.stat() if source.path is not None and source.path.is_file() else None
        size = len(source.data) if source.data is not None else state.st_size if state else 0
        changed = state.st_mtime_ns if state else 0
        found.update(repr((source.source_id, source.split, size, changed, source.action_units, source.label)).encode())
    return found.hexdigest()[:16]


def _find_all(dataset: "Dataset", place: Path, workers: int, say: Say) -> None:
    """Find the faces chunk by chunk (a chunk that is there already is not sought again), then put them together."""
    parts = place / "parts"
    make_folder(parts)
    # those that are trained on first, so that each split is one slice
    sources = sorted(dataset.sources, key=lambda source: source.split != "train")
    chunks = {parts / f"{start:08d}.npz": sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)}
    missing = {part: chunk for part, chunk in chunks.items() if not _is_whole(part)}
    if missing:
        count = sum(len(chunk) for chunk in missing.values())
        say(f"Finding the faces of {count:,} pictures; they are kept in {place}.")
    done = len(chunks) - len(missing)
    for part, arrays in zip(missing, find_all(list(missing.values()), workers), strict=True):
        with atomic_file(part) as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - none is named allow_pickle
        done += 1
        say(f"Faces: {min(done * _CHUNK, len(sources)):,} of {len(sources):,} pictures.")
    try:
        _put_together(chunks, place, say)
    except OSError as error:
        raise disk_fault(place, error) from error


def _is_whole(part: Path) -> bool:
    return part.is_file() and zipfile.is_zipfile(part)


def _put_together(parts: Mapping[Path, Sequence["Source"]], place: Path, say: Say) -> None:
    """Write one array per kind (pictures are mapped from disk later, so that they need not fit into memory)."""
    reasons: list[str] = []
    counts, names = [], []
    for part, sources in parts.items():
        with np.load(part, allow_pickle=False) as arrays:
            counts.append(len(arrays["train"]))
            names += [sources[index].source_id for index in arrays["places"]]
            reasons += arrays["reasons"].tolist()
    total, train = sum(counts), 0
    if not total:
        raise DatasetError(f"No face was found in any of the {len(reasons):,} pictures ({', '.join(set(reasons))}).")
    shapes = {
        "pictures": ((CROP_WITH_MARGIN, CROP_WITH_MARGIN, 3), np.uint8),
        "landmarks": ((478, 2), np.float32),
        "action_units": ((17,), np.float32),
        "labels": ((), np.int64),
    }
    whole = {
        name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", kind, (total, *shape))
        for name, (shape, kind) in shapes.items()
    }
    start = 0
    for part, count in zip(parts, counts, strict=True):
        with np.load(part, allow_pickle=False) as arrays:
            for name in _PARTS:
                whole[name][start : start + count] = arrays[name]
            train += int(arrays["train"].sum())
        start += count
    for array in whole.values():
        array.flush()
    if reasons:
        why = ", ".join(f"{name} {reasons.count(name):,}" for name in sorted(set(reasons)))
        say(f"{len(reasons):,} pictures have no usable face ({why}) and are left out.")
    with atomic_file(place / "faces.json") as file:
        file.write(json.dumps({"train": train, "faces": total, "left_out": len(reasons), "names": names}).encode())
    shutil.rmtree(place / "parts")

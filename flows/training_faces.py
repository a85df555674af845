"""Faces for a generator's training from any labelled input: cut, with landmarks and AUs, kept beside the output."""

import hashlib
import json
import multiprocessing
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from singanimation.pipeline.errors import DatasetError, PictureError
from singanimation.pipeline.framing import CROP_SIZE
from singanimation.pipeline.records import Source

if TYPE_CHECKING:
    from singanimation.pipeline.datasets.dataset import Dataset
    from singanimation.stages.ganimation.training import TrainingFaces

MARGIN = 16
"""Pixels around the crop that a training's jitter may move into it."""

FEWEST_FACES = 8
_CHUNK = 64
_SIDE = CROP_SIZE + 2 * MARGIN
_PARTS = ("pictures", "landmarks", "action_units")

Say = Callable[[str], None]


@dataclass(frozen=True)
class PreparedFaces:
    """``train`` is trained on; ``shown`` are crops uint8 (N, 128, 128, 3) for the contact sheet.

    ``au_estimator`` is whose AUs they are (for the generator's card), ``licence`` the data's where it says one.
    """

    train: "TrainingFaces"
    shown: np.ndarray
    au_estimator: str
    licence: str | None = None


def prepare_faces(text: str, folder: Path, workers: int, say: Say) -> PreparedFaces:
    """Return the faces of ``--input text``: a Parquet with crops, landmarks and AUs as it is, all else found and cut.

    What was found is kept below ``folder`` and not sought again; ``say`` gets sentences for the user. Splits named
    validation or test are only shown. Raises DatasetError.
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
    about = json.loads((place / "faces.json").read_text())
    arrays = [np.load(place / f"{name}.npy", mmap_mode="c") for name in _PARTS]
    train = _training_faces(arrays, slice(0, about["train"]))
    if len(train.pictures) < FEWEST_FACES:
        raise DatasetError(
            f"--input {text} has {len(train.pictures)} usable faces to train on; at least {FEWEST_FACES} are needed."
        )
    held_out = arrays[0][about["train"] :]
    if not len(held_out):
        say(f"{text} has no validation split: the contact sheet shows faces that are trained on.")
    own = any(source.action_units is not None for source in dataset.sources)
    shown = _middle(held_out if len(held_out) else train.pictures)
    return PreparedFaces(train, shown, "openface" if own else estimator, dataset.licence)


def _has_everything(path: Path) -> bool:
    """Whether ``path`` is a Parquet like faces.parquet: aligned pictures, landmarks, AUs and splits."""
    from singanimation.pipeline.datasets.parquet import parquet_schema

    if not path.is_file() or path.suffix.lower() != ".parquet":
        return False
    return {"image", "landmarks", "action_units", "split", "face_id"} <= set(parquet_schema(path).names)


def _from_parquet(path: Path, say: Say) -> PreparedFaces:
    from singanimation.stages.action_units.data import load_faces

    faces = load_faces(path, "train")
    train = _training_faces([faces.pictures, faces.landmarks, faces.action_units], slice(None))
    try:
        shown = load_faces(path, "validation").crops()
    except DatasetError:
        say(f"{path} has no rows whose split is validation: the contact sheet shows faces that are trained on.")
        shown = faces.crops()
    return PreparedFaces(train, shown, "embedded")


def _training_faces(arrays: Sequence[np.ndarray], rows: slice) -> "TrainingFaces":
    from singanimation.stages.ganimation.training import TrainingFaces

    return TrainingFaces(*(array[rows] for array in arrays))


def _middle(pictures: np.ndarray) -> np.ndarray:
    return pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _digest(dataset: "Dataset", estimator: str) -> str:
    """Tell apart what was found in other pictures, or by another estimator."""
    found = hashlib.sha256(estimator.encode())
    for source in dataset.sources:
        state = source.path.stat() if source.path is not None and source.path.is_file() else None
        size = len(source.data) if source.data is not None else state.st_size if state else 0
        changed = state.st_mtime_ns if state else 0
        found.update(repr((source.source_id, source.split, size, changed, source.action_units)).encode())
    return found.hexdigest()[:16]


def _find_all(dataset: "Dataset", place: Path, workers: int, say: Say) -> None:
    """Find the faces chunk by chunk (a chunk that is there already is not sought again), then put them together."""
    parts = place / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    # those that are trained on first, so that each split is one slice
    sources = sorted(dataset.sources, key=lambda source: source.split != "train")
    chunks = {parts / f"{start:08d}.npz": sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)}
    missing = {part: chunk for part, chunk in chunks.items() if not _is_whole(part)}
    if missing:
        count = sum(len(chunk) for chunk in missing.values())
        say(f"Finding the faces of {count:,} pictures; they are kept in {place}.")
    done = len(chunks) - len(missing)
    for part, arrays in zip(missing, _found(list(missing.values()), workers), strict=True):
        partial = part.with_suffix(".tmp")
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.replace(part)
        done += 1
        say(f"Faces: {min(done * _CHUNK, len(sources)):,} of {len(sources):,} pictures.")
    _put_together(list(chunks), place, say)


def _is_whole(part: Path) -> bool:
    return part.is_file() and zipfile.is_zipfile(part)


def _found(chunks: list[list[Source]], workers: int) -> Iterator[dict[str, np.ndarray]]:
    if workers == 1 or len(chunks) == 1:
        import torch

        threads = torch.get_num_threads()
        try:
            yield from map(find_chunk, chunks)
        finally:
            torch.set_num_threads(threads)  # the training may use more
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context)
    try:
        yield from pool.map(find_chunk, chunks)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_models: list[Any] = []


def find_chunk(sources: Iterable[Source]) -> dict[str, np.ndarray]:
    """Cut the faces of ``sources``: arrays by name, and why the others cannot be used. Runs in a worker process."""
    import torch

    from singanimation.stages.action_units.estimators import EmbeddedAligner, EmbeddedEstimator

    torch.set_num_threads(1)
    if not _models:
        _models.extend([EmbeddedEstimator.load(), EmbeddedAligner.load()])
    pictures, landmarks, units, trained, reasons = [], [], [], [], []
    for source in sources:
        try:
            wide, points, found = _face(source, *_models)
        except PictureError as error:
            reasons.append(error.reason)
            continue
        pictures.append(wide)
        landmarks.append(points)
        units.append(found)
        trained.append(source.split == "train")
    return {
        "pictures": np.array(pictures, np.uint8).reshape(-1, _SIDE, _SIDE, 3),
        "landmarks": np.array(landmarks, np.float32).reshape(-1, 478, 2),
        "action_units": np.array(units, np.float32).reshape(-1, 17),
        "train": np.array(trained, bool),
        "reasons": np.array(reasons, "U32"),
    }


def _face(source: Source, estimator: Any, aligner: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from singanimation.pipeline.pictures import read_source
    from singanimation.stages import crop

    pixels = read_source(source).pixels
    face = crop.find_face(
        pixels, box=source.box, landmarks=source.landmarks, is_face_crop=source.is_face_crop, align=aligner,
        eyes_of=estimator.find_eyes,
    )  # fmt: skip
    wider = face.matrix.copy()
    wider[:, 2] += MARGIN
    units = source.action_units
    found = estimator(face.pixels[None]).action_units[0] if units is None else np.array(units, np.float32)
    return crop.cut(pixels, wider, _SIDE), face.landmarks + MARGIN, found


def _put_together(parts: Sequence[Path], place: Path, say: Say) -> None:
    """Write one array per kind (pictures are mapped from disk later, so that they need not fit into memory)."""
    reasons: list[str] = []
    counts = []
    for part in parts:
        with np.load(part, allow_pickle=False) as arrays:
            counts.append(len(arrays["train"]))
            reasons += arrays["reasons"].tolist()
    total, train = sum(counts), 0
    if not total:
        raise DatasetError(f"No face was found in any of the {len(reasons):,} pictures ({', '.join(set(reasons))}).")
    shapes = {"pictures": ((_SIDE, _SIDE, 3), np.uint8), "landmarks": ((478, 2), np.float32),
              "action_units": ((17,), np.float32)}  # fmt: skip
    whole = {name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", kind, (total, *shape))
             for name, (shape, kind) in shapes.items()}  # fmt: skip
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
    partial = place / "faces.json.tmp"
    partial.write_text(json.dumps({"train": train, "faces": total, "left_out": len(reasons)}))
    partial.replace(place / "faces.json")
    shutil.rmtree(place / "parts")

"""CK+: sequences from a neutral face (first frame) to a peak (last frame), grouped by subject; no splits.

Official: ``cohn-kanade-images/S011/001/S011_001_00000016.png``, ``Emotion/S011/001/*_emotion.txt``, ``Landmarks``.
Copies: class folders with files of the same names (``happy/S011_006_00000013.png``, often 48x48).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, list_pictures, read_text, relative
from singanimation.pipeline.datasets.folders import Kind, read_folders
from singanimation.pipeline.datasets.labels import map_label, whole_number
from singanimation.pipeline.datasets.licences import CK_PLUS
from singanimation.pipeline.errors import PictureError
from singanimation.pipeline.files.pictures import picture_size
from singanimation.pipeline.records import Source

NUMBERS = {"0": "neutral", "1": "anger", "3": "disgust", "4": "fear", "5": "happiness", "6": "sadness", "7": "surprise"}
_CONTEMPT = "2"
_PICTURES = "cohn-kanade-images"
_FRAME = re.compile(r"^(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)
_CROP_SIDE = 100
_SHARE_NAMED = 0.9


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if find_holder(path, _PICTURES) is not None:
        return None
    pictures = list_pictures(path)
    named = sum(bool(_FRAME.match(picture.name)) for picture in pictures)
    if pictures and named >= _SHARE_NAMED * len(pictures):
        return None
    return f"has no folder {_PICTURES}, and the pictures are not named S011_001_00000016.png"


def _read(path: Path) -> Dataset:
    findings = Findings()
    base = find_holder(path, _PICTURES)
    if base is None:
        kind = Kind("ck+", CK_PLUS, _subject, lambda picture: _is_crop(path / picture))
        sources, has_splits = read_folders(path, kind, findings)
    else:
        sources, has_splits = list(_from_sequences(path, base, findings)), False
    return build_dataset("ck+", sources, findings, path, licence=CK_PLUS, has_splits=has_splits)


def _from_sequences(path: Path, base: Path, findings: Findings) -> Iterator[Source]:
    folder = child(base, _PICTURES) or base
    emotions = child(base, "Emotion", "Emotion_labels")
    if emotions is not None:
        emotions = child(emotions, "Emotion") or emotions
    sequences: dict[PurePosixPath, list[PurePosixPath]] = {}
    for picture in list_pictures(folder, findings):
        if _FRAME.match(picture.name):
            sequences.setdefault(picture.parent, []).append(picture)
        else:
            findings.add("{count} pictures are not named like frames and were left out", str(picture))
    for sequence, frames in sequences.items():
        frames.sort(key=lambda frame: frame.name)
        raw = _peak_label(emotions / sequence if emotions is not None else None, findings)
        if raw is None:
            findings.add("{count} sequences have no label, their peaks are kept without one", str(sequence))
        yield _frame(path, folder, base, frames[0], "0", "neutral")
        if len(frames) > 1:
            yield _frame(path, folder, base, frames[-1], raw, map_label(raw, NUMBERS))


def _peak_label(folder: Path | None, findings: Findings) -> str | None:
    files = sorted(folder.glob("*_emotion.txt")) if folder is not None and folder.is_dir() else []
    if not files:
        return None
    number = whole_number(read_text(files[0]).strip())
    if number not in NUMBERS and number != _CONTEMPT:
        findings.add("{count} label files hold no number 0..7", files[0].name)
        return None
    return number


def _frame(path: Path, folder: Path, base: Path, picture: PurePosixPath, raw: str | None, label: str | None) -> Source:
    match = _FRAME.match(picture.name)
    subject = match[1].upper() if match else picture.name
    return Source(
        dataset="ck+",
        source_id=str(picture),
        path=folder / picture,
        source_path=relative(folder / picture, path),
        group_id=subject,
        label=label,
        source_label="contempt" if raw == _CONTEMPT else raw,
        licence=CK_PLUS,
        landmarks=_landmarks(base, picture),
    )


def _landmarks(base: Path, picture: PurePosixPath) -> np.ndarray | None:
    """Return float32 (68, 2) tracked points in pixels, where the Landmarks folder has them."""
    for folder in ("Landmarks", "Landmarks/Landmarks"):
        file = base / folder / picture.parent / f"{picture.stem}_landmarks.txt"
        if file.is_file():
            try:
                values = np.array(file.read_text(errors="replace").split(), np.float32)
            except ValueError:
                return None
            return values.reshape(68, 2) if values.size == 136 else None
    return None


def _subject(picture: PurePosixPath) -> str | None:
    match = _FRAME.match(picture.name)
    return match[1].upper() if match else None


def _is_crop(picture: Path) -> bool:
    """Return whether a copy's picture is a face crop: the originals are 640x480 and larger."""
    try:
        return max(picture_size(picture)) <= _CROP_SIDE
    except PictureError:
        return False


READER = Reader("ck+", _lacks, _read)

"""Training sets of the public GANimation code: ``imgs/``, ``aus_openface.pkl``, ``train_ids.csv``, ``test_ids.csv``.

The pictures are face crops (128x128). The pickle maps a picture's name without its ending to 17 intensities, 0..5,
in OpenFace's order; a source carries them divided by 5 and clipped to 0..1. The id files hold one file name a line.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, read_text, relative
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.files.restricted_pickle import plain_array, read_pickle
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.records import Source

PICTURES, UNITS = "imgs", "aus_openface.pkl"
IDS = {"train_ids.csv": "train", "test_ids.csv": "test"}
OPENFACE_MOST = 5.0
NAME = "ganimation"

Units = tuple[float, ...]


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    return None if find_holder(path, PICTURES, UNITS) is not None else f"has no folder {PICTURES} beside {UNITS}"


def _read(path: Path) -> Dataset:
    findings = Findings()
    base = find_holder(path, PICTURES, UNITS) or path
    folder = child(base, PICTURES) or base / PICTURES
    units = _units(child(base, UNITS) or base / UNITS, findings)
    splits = _splits(base, findings)
    seen: set[str] = set()
    sources = []
    for picture in list_pictures(folder, findings):
        split = "train" if splits is None else splits.get(picture.name)
        seen.add(picture.name)
        if split is None:
            findings.add("{count} pictures are named in no id file and are left out", str(picture))
            continue
        if picture.stem not in units:
            findings.add(f"{{count}} pictures have no action units in {UNITS}", str(picture))
        sources.append(
            Source(
                dataset=NAME,
                source_id=str(picture),
                path=folder / picture,
                is_face_crop=True,
                split=split,
                source_path=relative(folder / picture, path),
                group_id=str(picture),
                action_units=units.get(picture.stem),
            )
        )
    missing = sorted(set(splits or ()) - seen)
    if missing:
        findings.add("{count} pictures that the id files name are missing", *missing)
    return build_dataset(NAME, sources, findings, path, has_splits=splits is not None)


def _units(path: Path, findings: Findings) -> dict[str, Units]:
    """Return stem -> 17 action units in 0..1. Raises DatasetError for a pickle that is no such table."""
    content = read_pickle(path)
    if not isinstance(content, Mapping) or not content:
        raise DatasetError(f"{path} holds no table of picture names and {len(AU_NAMES)} intensities each.")
    found = dict(_rows(content, findings))
    if not found:
        raise DatasetError(f"{path} gives no picture {len(AU_NAMES)} intensities; OpenFace's are AU01 ... AU45.")
    values = np.stack(list(found.values()))
    over = int((values > OPENFACE_MOST).any(1).sum())
    if over:
        findings.add(f"{over:,} pictures have intensities above {OPENFACE_MOST:g}, which were cut to it")
    if values.max() <= 1 and len(found) > 1:
        findings.add(f"no intensity in {UNITS} is above 1 of 5: is it divided by 5 already")
    scaled = np.clip(values / OPENFACE_MOST, 0, 1)
    return {stem: tuple(row) for stem, row in zip(found, scaled.tolist(), strict=True)}


def _rows(content: Mapping[Any, Any], findings: Findings) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in content.items():
        stem = name.decode("latin1") if isinstance(name, bytes) else name
        numbers = plain_array(value)
        if not isinstance(stem, str) or numbers is None or numbers.size != len(AU_NAMES):
            findings.add(f"{{count}} entries of {UNITS} are not {len(AU_NAMES)} numbers and are not used", shown(stem))
        elif not np.isfinite(numbers).all():
            findings.add(f"{{count}} entries of {UNITS} are not finite and are not used", shown(stem))
        else:
            yield stem, numbers.reshape(-1)


def _splits(base: Path, findings: Findings) -> dict[str, str] | None:
    """Return file name -> split, None where there are no id files; what both name counts as test."""
    files = {path: split for name, split in IDS.items() if (path := child(base, name)) is not None}
    if not files:
        return None
    splits: dict[str, str] = {}
    for path, split in files.items():
        for line in read_text(path).splitlines():
            name = inside(line.split(",")[0].strip().strip('"'))
            if name is None:
                if line.strip():
                    findings.add(f"{{count}} names in {path.name} lead out of the folder and were refused", line)
                continue
            if splits.get(name.name, split) != split:
                findings.add("{count} pictures are named for training and for test, and count as test", name.name)
            splits[name.name] = split
    return splits


READER = Reader("ganimation set", _lacks, _read, named=False)

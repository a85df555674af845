"""RAF-DB, basic and compound: the official tree and the copies of it that people have.

Official: ``basic/Image/{aligned,original}``, ``basic/EmoLabel/list_patition_label.txt``, ``basic/boundingbox``,
``basic/Annotation``. Copies: ``{train,test}/{1..7}`` with or without CSV files, folders by emotion or by 0..6, flat
folders. Pictures are told apart by their stem (``train_00001``), so that every copy reads alike; the aligned crop is
preferred to the original. The split is that of the stem; a folder may hold a picture out further, never less.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset, compare_counts
from singanimation.pipeline.datasets.files import any_picture, find_folder, list_pictures
from singanimation.pipeline.datasets.folders import class_folder
from singanimation.pipeline.datasets.labels import (
    RAF_NUMBERS,
    held_out_first,
    map_label,
    raf_numbers,
    read_label_map,
    whole_number,
)
from singanimation.pipeline.datasets.licences import RAF_DB
from singanimation.pipeline.datasets.readers.raf_files import (
    LabelFile,
    face_box,
    face_landmarks,
    find_labels,
    label_list,
    stem_of,
)
from singanimation.pipeline.datasets.splits import FolderSplits
from singanimation.pipeline.records import Source

# Labelled pictures per class, EMOTIONS order (Li & Deng, "Reliable crowdsourcing and deep locality-preserving
# learning for unconstrained facial expression recognition", IEEE TIP 2019).
OFFICIAL_COUNTS = {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)}

_BASIC = {"basic", "raf-basic", "raf_basic", "basic emotion", "basic_emotion"}
_COMPOUND = {"compound", "raf-compound", "raf_compound", "compound emotion", "compound_emotion", "raf-db-compound"}
_RAF_NAME = re.compile(r"^(train|test)_\d{4,5}$")
_SHARE_NAMED = 0.9


@dataclass(frozen=True)
class _Face:
    """The files of one stem: ``aligned``, ``original``, or both; never none."""

    files: Mapping[str, PurePosixPath]

    @property
    def is_aligned(self) -> bool:
        return "aligned" in self.files

    @property
    def best(self) -> PurePosixPath:
        return self.files["aligned"] if self.is_aligned else self.files["original"]


def _base(path: Path, compound: bool) -> Path:
    """Return the folder of the subset, or ``path`` itself where it has no folder of its own."""
    return find_folder(path, _COMPOUND if compound else _BASIC) or path


def _lacks(path: Path, compound: bool) -> str | None:
    if not path.is_dir():
        return "is no folder"
    base = _base(path, compound)
    is_compound = base.name.lower() in _COMPOUND or (base == path and find_folder(path, _COMPOUND) is not None)
    if compound != is_compound:
        return "has no folder called compound" if compound else "is the compound subset"
    if label_list(base) is not None:
        return None if any_picture(base) else "holds no picture"
    other = next((name for name in ("RAFCE_emolabel.txt", "RAFAU_label.txt") if any(base.rglob(name))), None)
    if other:
        return f"holds {other}, which belongs to another set"
    pictures = list_pictures(base)
    if not pictures:
        return "holds no picture"
    named = sum(bool(_RAF_NAME.match(stem_of(picture.name)[0])) for picture in pictures)
    if named >= _SHARE_NAMED * len(pictures):
        return None
    return "has no EmoLabel/list_patition_label.txt, and the pictures are not named train_00001.jpg"


def _read(path: Path, compound: bool) -> Dataset:
    name = "raf-db-compound" if compound else "raf-db"
    findings = Findings()
    base = _base(path, compound)
    faces = _faces(base, findings)
    labels = find_labels(base, findings)
    user_map = read_label_map(base) or read_label_map(path)
    raw = _raw_labels(faces, labels, findings)
    numbers = _numbers(raw, labels, compound, user_map, findings)
    splits = FolderSplits.of(base, [face.best for face in faces.values()])
    sources = []
    for stem, face in sorted(faces.items()):
        label = map_label(raw.get(stem), numbers, user_map)
        _check_range(raw.get(stem), label, face, compound, user_map, findings)
        sources.append(_source(path, base, name, stem, face, raw.get(stem), label, user_map, splits))
    _tell_originals(faces, findings)
    dataset = build_dataset(name, sources, findings, path, licence=RAF_DB)
    if not compound and dataset.labelled:
        dataset.warnings.extend(compare_counts(dataset, OFFICIAL_COUNTS))
    return dataset


def _faces(base: Path, findings: Findings) -> dict[str, _Face]:
    faces: dict[str, _Face] = {}
    for picture in list_pictures(base, findings):
        stem, named_aligned = stem_of(picture.name)
        aligned = named_aligned or any("aligned" in folder.lower() for folder in (base.name, *picture.parts[:-1]))
        kind = "aligned" if aligned else "original"
        files = faces[stem].files if stem in faces else {}
        if kind in files:
            findings.add("{count} pictures occur twice, the first counts", str(picture))
            continue
        faces[stem] = _Face({**files, kind: picture})
    return faces


def _raw_labels(faces: Mapping[str, _Face], labels: LabelFile | None, findings: Findings) -> dict[str, str]:
    """Return stem -> raw label, from the label file, else from the class folders."""
    if labels is None:
        folders = {stem: class_folder(face.best) for stem, face in faces.items()}
        return {
            stem: folder
            for stem, folder in folders.items()
            if folder and (whole_number(folder) or map_label(folder, {}))
        }
    missing = [stem for stem in labels.raw if stem not in faces]
    if missing:
        findings.add(f"{{count}} pictures that {labels.name} names are missing", *missing)
    extra = [str(face.best) for stem, face in faces.items() if stem not in labels.raw]
    if extra:
        findings.add(f"{{count}} pictures have no line in {labels.name} and are kept without a label", *extra)
    for stem, label in labels.raw.items():
        folder = class_folder(faces[stem].best) if stem in faces else None
        if folder and whole_number(folder) and whole_number(folder) != whole_number(label):
            findings.add(
                f"{{count}} pictures have another label in {labels.name} than by their folder, and the file's is taken",
                f"{faces[stem].best} ({label})",
            )
    return {stem: label for stem, label in labels.raw.items() if stem in faces}


def _numbers(
    raw: Mapping[str, str],
    labels: LabelFile | None,
    compound: bool,
    user_map: Mapping[str, str] | None,
    findings: Findings,
) -> Mapping[str, str]:
    if compound:
        if user_map is None:
            findings.add(
                "public code disagrees on what the compound numbers mean; a label_map.csv with lines "
                "`1,happily surprised` in the folder names them"
            )
        return {}
    if labels is not None and labels.official:
        return RAF_NUMBERS
    numbers = raf_numbers(raw.values())
    if numbers is not RAF_NUMBERS and any(whole_number(label) for label in raw.values()):
        findings.add("the labels count from 0: taken as RAF-DB's order, 0 surprise to 6 neutral")
    return numbers


def _check_range(
    raw: str | None,
    label: str | None,
    face: _Face,
    compound: bool,
    user_map: Mapping[str, str] | None,
    findings: Findings,
) -> None:
    if raw is not None and label is None and not compound and user_map is None:
        findings.add(
            "{count} labels are out of range (1..7), their pictures are kept without one", f"{face.best.name} {raw}"
        )


def _source(
    path: Path,
    base: Path,
    dataset: str,
    stem: str,
    face: _Face,
    raw: str | None,
    label: str | None,
    user_map: Mapping[str, str] | None,
    splits: FolderSplits,
) -> Source:
    picture = face.best
    prefix = stem.split("_")[0] if _RAF_NAME.match(stem) else None
    named = user_map.get(whole_number(raw) or raw, raw) if raw is not None and user_map and label is None else raw
    return Source(
        dataset=dataset,
        source_id=str(picture),
        path=base / picture,
        source_path=(base / picture).relative_to(path).as_posix(),
        split=held_out_first(prefix, splits(picture)) or "train",
        group_id=stem,
        label=label,
        source_label=named,
        licence=RAF_DB,
        is_face_crop=face.is_aligned,
        box=None if face.is_aligned else face_box(base, stem),
        landmarks=None if face.is_aligned else face_landmarks(base, stem),
    )


def _tell_originals(faces: Mapping[str, _Face], findings: Findings) -> None:
    originals = [str(face.best) for face in faces.values() if not face.is_aligned]
    if originals and len(originals) < len(faces):
        findings.add("{count} pictures have no aligned crop, their originals are taken", *originals)


READER = Reader("raf-db", partial(_lacks, compound=False), partial(_read, compound=False))
COMPOUND_READER = Reader(
    "raf-db-compound", partial(_lacks, compound=True), partial(_read, compound=True), also_in=("raf-db",)
)

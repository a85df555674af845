"""Sets that keep label and person in the file's name: JAFFE, KDEF and RaFD; no splits, grouped by person.

- JAFFE (Lyons et al. 1998): ``KA.AN1.39.tiff``: person, expression and take, number.
- KDEF (Lundqvist et al. 1998): ``AF01ANS.JPG``: session, sex, person, expression, angle.
- RaFD (Langner et al. 2010): ``Rafd090_01_Caucasian_female_angry_frontal.jpg``: camera, person, ethnicity, sex,
  expression, gaze.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import list_pictures
from singanimation.pipeline.datasets.folders import Kind, read_folders
from singanimation.pipeline.datasets.labels import folder_emotion
from singanimation.pipeline.datasets.licences import JAFFE, KDEF, RAFD
from singanimation.pipeline.expressions import EMOTIONS

_CODES: Mapping[str, str] = dict(zip(("SU", "FE", "DI", "HA", "SA", "AN", "NE"), EMOTIONS, strict=True))
_SHARE_NAMED = 0.9


@dataclass(frozen=True)
class _Naming:
    """One set's way to name files: ``pattern`` has the groups ``person`` and ``label``."""

    name: str
    licence: str
    pattern: re.Pattern[str]
    meaning: Callable[[str], str | None]
    profiles: re.Pattern[str] | None = None


_JAFFE = _Naming(
    "jaffe",
    JAFFE,
    re.compile(r"^(?P<person>[A-Z]{2})[.\-_](?P<label>AN|DI|FE|HA|NE|SA|SU)\d[.\-_]\d+", re.IGNORECASE),
    lambda code: _CODES.get(code.upper()),
)
_KDEF = _Naming(
    "kdef",
    KDEF,
    re.compile(r"^[AB](?P<person>[FM]\d{2})(?P<label>AF|AN|DI|HA|NE|SA|SU)(?P<angle>S|HL|HR|FL|FR)\b", re.IGNORECASE),
    lambda code: "fear" if code.upper() == "AF" else _CODES.get(code.upper()),
    re.compile(r"(FL|FR)$", re.IGNORECASE),
)
_RAFD = _Naming(
    "rafd",
    RAFD,
    re.compile(
        r"^Rafd(?P<angle>\d{3})_(?P<person>\d{2})_[A-Za-z]+_(?:fe)?male_(?P<label>[a-z]+)_(?:frontal|left|right)",
        re.IGNORECASE,
    ),
    folder_emotion,
    re.compile(r"^Rafd(000|180)_", re.IGNORECASE),
)
_NAMINGS = (_JAFFE, _KDEF, _RAFD)


def _naming(pictures: Sequence[PurePosixPath]) -> _Naming | None:
    """Return whose naming (almost) all pictures follow, else None."""
    for naming in _NAMINGS:
        named = sum(bool(naming.pattern.match(picture.stem)) for picture in pictures)
        if pictures and named >= _SHARE_NAMED * len(pictures):
            return naming
    return None


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    if _naming(list_pictures(path)) is None:
        return "its pictures are not named as JAFFE's, KDEF's or RaFD's are"
    return None


def _read(path: Path) -> Dataset:
    findings = Findings()
    naming = _naming(list_pictures(path)) or _JAFFE

    def person(picture: PurePosixPath) -> str | None:
        match = naming.pattern.match(picture.stem)
        return match["person"].upper() if match else None

    def label(picture: PurePosixPath) -> tuple[str | None, str | None]:
        match = naming.pattern.match(picture.stem)
        return (naming.meaning(match["label"]), match["label"]) if match else (None, None)

    kind = Kind(naming.name, naming.licence, person, label_of=label)
    sources, has_splits = read_folders(path, kind, findings)
    if naming.profiles is not None:
        profiles = [
            source.source_id for source in sources if naming.profiles.search(PurePosixPath(source.source_id).stem)
        ]
        if profiles:
            findings.add("{count} pictures show full profiles, in which no face may be found", *profiles)
    return build_dataset(naming.name, sources, findings, path, licence=naming.licence, has_splits=has_splits)


READER = Reader("jaffe, kdef or rafd", _lacks, _read, named=False)

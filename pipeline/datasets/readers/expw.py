"""ExpW: ``label/label.lst`` names several faces a picture (mind the order: top, left, right, bottom); no splits."""

from collections.abc import Iterator
from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import child, find_holder, inside, list_pictures, read_text, relative
from singanimation.pipeline.datasets.labels import map_label
from singanimation.pipeline.datasets.licences import EXPW
from singanimation.pipeline.records import Source

NUMBERS = {"0": "anger", "1": "disgust", "2": "fear", "3": "happiness", "4": "sadness", "5": "surprise", "6": "neutral"}
_LIST = "label.lst"


def _lacks(path: Path) -> str | None:
    if not path.is_dir():
        return "is no folder"
    return None if _list_file(path) is not None else "has no label/label.lst"


def _list_file(path: Path) -> Path | None:
    base = find_holder(path, "label", depth=1)
    inner = child(child(base, "label") or base, _LIST) if base is not None else None
    if inner is not None:
        return inner
    holder = find_holder(path, _LIST, depth=1)
    return child(holder, _LIST) if holder is not None else None


def _read(path: Path) -> Dataset:
    findings = Findings()
    file = _list_file(path)
    present = {picture.name: path / picture for picture in list_pictures(path, findings)}
    sources: dict[str, Source] = {}
    for source in _faces(path, read_text(file) if file is not None else "", present, findings):
        if source.source_id in sources:
            findings.add(f"{{count}} faces occur twice in {_LIST}, the first counts", source.source_id)
        else:
            sources[source.source_id] = source
    return build_dataset("expw", sources.values(), findings, path, licence=EXPW, has_splits=False)


def _faces(path: Path, text: str, present: dict[str, Path], findings: Findings) -> Iterator[Source]:
    for line in text.splitlines():
        words = line.rsplit(maxsplit=7)  # names may hold blanks
        if not words:
            continue
        numbers = _whole_numbers(words[1:6]) if len(words) == 8 else None
        name = inside(words[0])
        if name is None:
            findings.add(f"{{count}} names in {_LIST} lead out of the folder and were refused", words[0])
        elif numbers is None:
            findings.add(f"{{count}} lines of {_LIST} have no eight fields and were left out", line.strip()[:60])
        elif name.name not in present:
            findings.add(f"{{count}} pictures that {_LIST} names are missing", name.name)
        else:
            face, top, left, right, bottom = numbers
            label = map_label(words[7], NUMBERS)
            if label is None:
                findings.add("{count} labels are out of range (0..6), their faces are kept without one", line.strip())
            file = present[name.name]
            yield Source(
                dataset="expw",
                source_id=f"{name.name}#{face}",
                path=file,
                source_path=relative(file, path),
                group_id=name.name,
                label=label,
                source_label=words[7],
                licence=EXPW,
                box=(left, top, right, bottom) if right > left and bottom > top else None,
            )


def _whole_numbers(words: list[str]) -> list[int] | None:
    try:
        return [int(float(word)) for word in words]
    except (ValueError, OverflowError):
        return None


READER = Reader("expw", _lacks, _read)

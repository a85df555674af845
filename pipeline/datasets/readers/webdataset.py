"""WebDataset shards: tar files whose members of one key are one sample (``0001.jpg``, ``0001.cls``, ``0001.json``).

The label comes from ``.json`` (columns by their usual names), else from ``.cls`` or ``.txt``; the split from ``.json``,
else from the shard's name. Nothing is unpacked: members are read where they lie, links and devices left out. Pictures
are kept in memory.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from singanimation.pipeline.datasets.dataset import Dataset, Findings, Reader, build_dataset
from singanimation.pipeline.datasets.files import (
    files_ending,
    is_output_folder,
    is_picture_name,
    list_pictures,
    read_text,
)
from singanimation.pipeline.datasets.labels import RAF_NUMBERS, map_label, read_label_map
from singanimation.pipeline.datasets.splits import canonical_split, held_out_first, plain_split
from singanimation.pipeline.datasets.tables import cell, column
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.pictures import MAX_FILE_BYTES
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.records import KINDS, STATUSES, Source

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_MOST_TEXT = 1 << 20
_CLASS_LISTS = ("classnames.txt", "classes.txt")
_PURPOSES = ("label", "split", "group", "licence", "id")


@dataclass
class _Sample:
    """The members of one key: its picture, with the ending, and the texts beside it."""

    key: str
    picture: bytes | None = None
    texts: dict[str, str] = field(default_factory=dict)


def _shards(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.name.lower().endswith(_SUFFIXES) else []
    if list_pictures(path):
        return []
    found = [entry for entry in files_ending(path, _SUFFIXES) if is_regular(entry)]
    return [shard for shard in found if not shard.name.startswith(".") and not is_output_folder(shard.parent)]


def _lacks(path: Path) -> str | None:
    shards = _shards(path)
    if not shards:
        return "is no tar file" if path.is_file() else "holds no tar shards, or pictures beside them"
    first = next(_samples(shards[0], Findings()), None)
    return None if first is not None and first.picture else f"{shards[0].name} holds no samples with pictures"


def _read(path: Path) -> Dataset:
    findings = Findings()
    folder = path.parent if path.is_file() else path
    name = path.name.split(".")[0] if path.is_file() else path.resolve().name
    user_map = read_label_map(folder)
    samples = [(shard, sample) for shard in _shards(path) for sample in _samples(shard, findings)]
    rows = [(shard, sample, _row(sample, findings)) for shard, sample in samples if sample.picture]
    numbers = _numbers(folder, [_raw(sample, row) for _, sample, row in rows], user_map, findings)
    sources: dict[str, Source] = {}
    has_splits = False
    for shard, sample, row in rows:
        if _left_out(row, findings):
            continue
        source = _source(name, shard, sample, row, numbers, user_map)
        has_splits = has_splits or source.split != ""
        source_id = source.source_id
        if source_id in sources:
            findings.add("{count} keys occur twice, the first counts", source_id)
            continue
        sources[source_id] = source
    if not has_splits:
        findings.add("no shard and no sample names a split: all pictures count as train")
    licences = {source.licence for source in sources.values()}
    licence = next(iter(licences)) if len(licences) == 1 else None
    return build_dataset(name, map(_with_split, sources.values()), findings, path, licence=licence)


def _with_split(source: Source) -> Source:
    from dataclasses import replace

    return source if source.split else replace(source, split="train")


def _source(
    dataset: str,
    shard: Path,
    sample: _Sample,
    row: Mapping[str, Any],
    numbers: Mapping[str, str],
    user_map: Mapping[str, str] | None,
) -> Source:
    names = list(row)
    values = {purpose: cell(row[found]) if (found := column(names, purpose)) else None for purpose in _PURPOSES}
    raw = _raw(sample, row)
    named = numbers.get(raw or "", raw)
    label = map_label(named, {}, user_map)
    by_shard = plain_split(shard.name.split(".")[0].rsplit("-", 1)[0]) or canonical_split(shard.name.split(".")[0])
    own = canonical_split(values["split"] or "")
    return Source(
        dataset=dataset,
        source_id=values["id"] or sample.key,
        path=None,
        source_path=f"{shard.name}#{sample.key}",
        split=held_out_first(own, by_shard) or values["split"] or "",
        group_id=values["group"] or values["id"] or sample.key,
        label=label,
        source_label=raw if label is not None else named,
        licence=values["licence"],
        data=sample.picture,
    )


def _raw(sample: _Sample, row: Mapping[str, Any]) -> str | None:
    """Return a sample's label as it stands: of its JSON, else of ``.cls``, else of a short ``.txt``."""
    name = column(list(row), "label")
    by_row = cell(row[name]) if name else None
    if by_row is not None:
        return by_row
    text = sample.texts.get("cls") or sample.texts.get("txt")
    return text.strip() or None if text and len(text) <= 60 else None


def _numbers(
    folder: Path, raw: list[str | None], user_map: Mapping[str, str] | None, findings: Findings
) -> Mapping[str, str]:
    """Return what numbers mean: a list of class names beside the shards, or RAF-DB's 1..7."""
    lists = [folder / name for name in _CLASS_LISTS if is_regular(folder / name)]
    if lists:
        return {
            str(number): name.strip() for number, name in enumerate(read_text(lists[0]).splitlines()) if name.strip()
        }
    seen = {text for text in raw if text is not None}
    if user_map is None and "7" in seen and seen <= set(RAF_NUMBERS):
        findings.add("the labels are 1..7: taken as RAF-DB's order, 1 surprise to 7 neutral")
        return RAF_NUMBERS
    return {}


def _row(sample: _Sample, findings: Findings) -> dict[str, Any]:
    text = sample.texts.get("json")
    if text is None:
        return {}
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        findings.add("{count} samples have a .json that is no object and count without it", sample.key)
        return {}
    return row


def _left_out(row: Mapping[str, Any], findings: Findings) -> bool:
    """Return whether a sample is an edit or a rejected variant of ours: no picture to learn from."""
    kind, status = cell(row.get("kind")), cell(row.get("status"))
    if kind in KINDS and status in STATUSES and (kind == "edit" or status != "accepted"):
        findings.add("{count} samples are edits or rejected variants and are left out", f"{kind} {status}")
        return True
    return False


def _samples(shard: Path, findings: Findings) -> Iterator[_Sample]:
    """Yield a shard's samples in the order of their first member. Raises DatasetError for what is no tar file."""
    found: dict[str, _Sample] = {}
    try:
        with tarfile.open(shard, "r:*") as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                stem, _, ending = place.name.partition(".")
                if not member.isreg() or not stem or not ending:
                    continue
                sample = found.setdefault(str(place.with_name(stem)), _Sample(str(place.with_name(stem))))
                _add(sample, ending.lower(), member, archive, findings)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if not found:
            raise DatasetError(f"{shard} cannot be read as a tar file ({shown(error)}).") from None
        findings.add(f"{{count}} shards end early ({shown(error)}); what came before is used", shard.name)
    yield from found.values()


def _add(sample: _Sample, ending: str, member: tarfile.TarInfo, archive: tarfile.TarFile, findings: Findings) -> None:
    is_picture = is_picture_name(f"x.{ending}")
    if not is_picture and ending not in ("json", "cls", "txt"):
        return
    if member.size > (MAX_FILE_BYTES if is_picture else _MOST_TEXT):
        findings.add("{count} members are too large and were left out", member.name)
        return
    opened = archive.extractfile(member)
    data = opened.read() if opened is not None else b""
    if is_picture and sample.picture is None:
        sample.picture = data
    elif not is_picture:
        sample.texts[ending] = data.decode("utf-8", errors="replace")


READER = Reader("webdataset", _lacks, _read, named=False)

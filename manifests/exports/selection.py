"""Which pictures an export holds: the real ones of a data set or a manifest, then what was made of them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from singanimation.manifests.exports.portable import PNG, portable
from singanimation.manifests.exports.real_pictures import DataSetPictures
from singanimation.manifests.exports.records import ExportOptions, ExportReport, Record
from singanimation.manifests.reading import MANIFEST_FOLDER, iter_tables, part_paths
from singanimation.manifests.run_settings import Input, last_input
from singanimation.pipeline.errors import ManifestError, PictureError
from singanimation.pipeline.files.places import place
from singanimation.pipeline.forgotten import without_forgotten

_SHOWN = 3


def records(
    path: Path | str, options: ExportOptions, report: ExportReport, *, real_last: bool = False
) -> Iterator[Record]:
    """Yield the pictures that the options ask for, never the same row twice; tell the report what was left out.

    Real ones come first, or with ``real_last`` last. Raises DatasetError for an input that cannot be read,
    ManifestError for damaged parts.
    """
    if options.real == "none" and not (options.edits or options.variants):
        raise ManifestError("Nothing to export: neither real pictures nor edits nor variants were asked for.")
    yield from _Selection(path, options, report).records(real_last)


class _Selection:
    """One export's choice; what is left out is counted by its sentence."""

    def __init__(self, path: Path | str, options: ExportOptions, report: ExportReport) -> None:
        self._path, self._options, self._report = path, options, report
        self._parts = part_paths(path)
        self._left_out: dict[str, list[str]] = {}
        self._seen: set[str] = set()
        self._splits: set[str] = set()
        self._data: DataSetPictures | None = None
        if options.input is not None and options.real != "none":
            dataset = Input(options.input, options.data_root, options.splits_from).open()
            kept = without_forgotten(dataset, _output_folder(path))
            report.warnings += kept.warnings[len(dataset.warnings) :]  # the others were told by the runs
            self._data = DataSetPictures(kept, self._parts)

    def records(self, real_last: bool) -> Iterator[Record]:
        """Yield what goes out, and tell the report of the rest."""
        if not real_last:
            yield from self._real()
        kinds = ["variant"] * self._options.variants + ["edit"] * self._options.edits
        if kinds:
            yield from self._of_the_manifest(kinds)
        if real_last:
            yield from self._real()
        self._tell()

    def _real(self) -> Iterator[Record]:
        if self._options.real == "none":
            return
        if self._data is not None:
            yield from self._of_the_input(self._data)
        yield from self._of_the_manifest(["real"])

    def _of_the_input(self, data: DataSetPictures) -> Iterator[Record]:
        for source in data.sources:
            self._splits.add(source.split)
            if not self._options.wants_real(source.split):
                continue
            if source.label is None and not self._options.unlabelled:
                self._skip(_UNLABELLED, source.source_id)
                continue
            try:
                picture, row = data.read(source)
                sent = portable(picture, source.source_path)
            except PictureError:
                self._skip(_UNREADABLE, source.source_path)
                continue
            if self._is_new(row):
                yield _record(row, *sent)
        if not data.known:
            self._report.warnings.append(f"No source of the manifest is in {self._options.input}: is it the right one?")

    def _of_the_manifest(self, kinds: list[str]) -> Iterator[Record]:
        """Yield the manifest's rows of these kinds. Real rows go out whatever the runs could make of them."""
        status = None if self._options.every_status or kinds == ["real"] else "accepted"
        for _, table in iter_tables(self._parts, status=status, kind=kinds):
            for row in table.to_pylist():
                self._splits.add(row["split"])
                record = self._row(row)
                if record is not None:
                    yield record

    def _row(self, row: dict[str, Any]) -> Record | None:
        real = row["kind"] == "real"
        wanted = self._options.wants_real(row["split"]) if real else self._options.wants(row["split"])
        if not wanted or not self._is_new(row):
            return None
        stale = self._data is not None and self._data.lacks(row)
        if real and self._data is not None and self._data.covers(row):
            if stale:
                self._skip(_GONE, row["source_path"])
            return None
        if row["label"] is None and not self._options.unlabelled:
            self._skip(_UNLABELLED, row["source_id"])
            return None
        if stale:
            self._skip(_STALE, row["source_path"])
        image = row.pop("image")
        if image is None or image["bytes"] is None:
            self._skip(_MISSING if real else _LOST, row["source_path"])
            return None
        row["file_name"] = image["path"] or row["source_path"]
        try:
            return _record(row, *_sent(image["bytes"], row))
        except PictureError:
            self._skip(_UNREADABLE, row["source_path"])
            return None

    def _is_new(self, row: dict[str, Any]) -> bool:
        if row["variant_id"] in self._seen:
            return False
        self._seen.add(row["variant_id"])
        return True

    def _skip(self, sentence: str, name: str) -> None:
        self._left_out.setdefault(sentence, []).append(name)

    def _tell(self) -> None:
        words = {"out": str(self._path), "input": _input_name(self._path, self._options)}
        for sentence, names in self._left_out.items():
            first = ", ".join(dict.fromkeys(names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
            self._report.warnings.append(sentence.format(count=f"{len(names):,}", names=first, **words))
        real, splits = self._options.real != "none", set(self._options.splits or ("test",))
        if real and self._data is None and self._splits <= {"train"} and splits - {"train"}:
            self._report.warnings.append(_ONLY_TRAIN.format(**words))
            return
        for split in self._options.splits or ():
            if split not in self._splits:
                there = ", ".join(sorted(self._splits)) or "none"
                self._report.warnings.append(f"There is no split {split}; those there are: {there}.")


_UNLABELLED = "{count} pictures without a label were left out; --unlabelled takes them along."
_UNREADABLE = "{count} pictures cannot be read and were left out: {names}."
_MISSING = (
    "{count} pictures are not in the manifest and were left out ({names}): --input {input} takes them, and every "
    "other real picture, from the data set."
)
_LOST = "{count} rows have lost their pictures ({names}); run `augment verify {out}`."
_ONLY_TRAIN = "Only train pictures are in the manifest: --input {input} adds the real ones of the other splits."
_GONE = "{count} real pictures are in the manifest but no longer in {input} and were left out: {names}."
_STALE = (
    "{count} synthetic pictures were made from pictures that {input} no longer holds as they were ({names}): "
    "`augment prune {out} --input {input}` removes them."
)


def _input_name(path: Path | str, options: ExportOptions) -> str:
    last = last_input(path)
    return options.input or (last.text if last is not None else "DATA")


def _output_folder(path: Path | str) -> Path:
    path = place(path)
    return path if (path / MANIFEST_FOLDER).is_dir() else path.parent


def _sent(data: bytes, row: dict[str, Any]) -> tuple[bytes, str, tuple[int, int]]:
    """Return what goes out of an embedded picture; PNGs are our own and go as they are."""
    if data.startswith(PNG) and row["width"] and row["height"]:
        return data, ".png", (row["width"], row["height"])
    return portable(data, row["variant_id"])


def _record(row: dict[str, Any], picture: bytes, ending: str, size: tuple[int, int]) -> Record:
    told = {"width": size[0], "height": size[1], "image_sha256": hashlib.sha256(picture).hexdigest()}
    return Record(picture, ending, row | told)

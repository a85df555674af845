"""Hugging Face Parquet shards (``data/train-00000-of-00003.parquet``) with a dataset card."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from singanimation.manifests.exports.card import card_library, dataset_card, escaped
from singanimation.manifests.exports.records import ExportReport, Names, Record
from singanimation.manifests.schema import SCHEMA
from singanimation.manifests.write import part_writer

SHARD_BYTES = 256 * 1024 * 1024
_GROUP_ROWS = 100
# where things lay and how they were run says nothing about the rows, and may say too much about their maker
_NOT_TOLD = frozenset({"input", "output", "data_root", "device", "workers", "ganimation", "resume", "retry_failed"})


def export_huggingface(
    records: Iterable[Record], output: Path, report: ExportReport, *, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write one row per picture in the manifest's own schema, shards by split, and ``README.md``.

    The splits are told by file names, not folders: ``datasets`` would drop the ``split`` column for those.
    Raises UsageError without huggingface_hub.
    """
    card_library()
    (output / "data").mkdir()
    shards: dict[str, _Shards] = {}
    names = Names()
    figures = _Figures()
    for record in records:
        split = _split_name(record.split_name)
        shard = shards.setdefault(split, _Shards(output / "data", split, shard_bytes))
        shard.add(record, f"{names.stem(record)}{record.ending}")
        figures.add(record)
        report.add(record)
    for shard in shards.values():
        shard.finish()
    made = [*figures.lines(), *figures.settings_lines(report.settings)]
    (output / "README.md").write_text(dataset_card(report, made, sorted(shards)), encoding="utf-8")


def _split_name(split: str) -> str:
    """Return a split as ``datasets`` takes it: letters, digits and ``_``, and not its word for all of them."""
    return re.sub(r"\W", "_", "all_" if split == "all" else split)


class _Shards:
    """The Parquet files of one split; they are named once it is known how many there are."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self._folder, self._split, self._limit = folder, split, shard_bytes
        self._waiting: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._files: list[Path] = []
        self._size = 0

    def add(self, record: Record, file_name: str) -> None:
        row = {name: record.row.get(name) for name in SCHEMA.names}
        self._waiting.append(row | {"image": {"bytes": record.picture, "path": file_name}})
        self._size += len(record.picture)
        if len(self._waiting) >= _GROUP_ROWS:
            self._flush()
        if self._size >= self._limit:
            self._close()

    def finish(self) -> None:
        self._close()
        for number, file in enumerate(self._files):
            file.rename(self._folder / f"{self._split}-{number:05d}-of-{len(self._files):05d}.parquet")

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._files.append(self._folder / f"{self._split}-{len(self._files):05d}.parquet")
            self._writer = part_writer(self._files[-1])
        self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=SCHEMA))
        self._waiting = []

    def _close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
        self._writer, self._size = None, 0


class _Figures:
    """What the card tells about the rows: engines, filters, where variants start, settings."""

    _COLUMNS = {
        "engine": "SinGAN engine",
        "start_scale": "start scale",
        "sifid_features": "SIFID features",
        "edit_kind": "kind of edit",
        "au_estimator": "action units by",
        "code_version": "version",
        "settings_sha256": "settings (SHA-256)",
        "dataset": "source data set",
    }

    def __init__(self) -> None:
        self._values: dict[str, dict[str, int]] = {name: {} for name in self._COLUMNS}
        self._sifid: list[float] = []
        self._runs: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        for name, seen in self._values.items():
            value = record.row[name]
            if value:
                seen[value] = seen.get(value, 0) + 1
        self._runs[record.row["run_id"]] += 1
        if record.row["sifid"] is not None:
            self._sifid.append(record.row["sifid"])

    def lines(self) -> list[str]:
        found = []
        for name, title in self._COLUMNS.items():
            values = [f"{escaped(value)} ({count:,})" for value, count in sorted(self._values[name].items())]
            if values:
                found.append(f"- {title}: {', '.join(values)}")
        if self._sifid:
            ordered = sorted(self._sifid)
            found.append(f"- SIFID of the variants: median {ordered[len(ordered) // 2]:.4g}, largest {ordered[-1]:.4g}")
        return found

    def settings_lines(self, settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return one line for each choice of settings that rows here were made with, and how many."""
        rows: Counter[str] = Counter()
        for run, count in self._runs.items():
            told = {
                name: value
                for name, value in settings.get(run, {}).items()
                if name not in _NOT_TOLD and value is not None
            }
            if told:
                rows[
                    ", ".join(f"{escaped(name)} {escaped(_plain(value))}" for name, value in sorted(told.items()))
                ] += count
        return [f"- run with {told} ({count:,})" for told, count in sorted(rows.items())]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)

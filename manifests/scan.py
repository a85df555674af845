"""The fast scan that resuming and topping up need: what is on disk, per source, from the small columns alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from singanimation.manifests.reading import MANIFEST_FOLDER, damaged, open_part
from singanimation.pipeline.errors import ManifestError

COLUMNS = ("dataset", "source_id", "variant_id", "parent_id", "kind", "status")
_GROUP = ("source_id", "kind", "status", "parent_id")
_BATCH_ROWS = 200_000


@dataclass
class SourceState:
    """What the manifest holds of one source. Edits are named by their ``variant_id``.

    ``rows`` counts (kind, status); ``accepted`` and ``attempted`` count the variants of each edit; ``parts`` are the
    files that hold its rows.
    """

    source_id: str
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    attempted: Counter[str] = field(default_factory=Counter)
    parts: list[Path] = field(default_factory=list)

    @property
    def accepted_variants(self) -> int:
        """Accepted variants over all edits, whatever their settings were."""
        return self.rows["variant", "accepted"]

    @property
    def failed_rows(self) -> int:
        """Rows that ``--retry-failed`` would take up again."""
        return sum(count for (_, status), count in self.rows.items() if status == "failed")

    @property
    def total(self) -> int:
        """All rows of the source."""
        return sum(self.rows.values())


@dataclass
class ManifestScan:
    """All sources of an output folder, and the files in it that could not be used (``problems``, one sentence each)."""

    sources: Mapping[str, SourceState]
    problems: list[str]
    rows: int
    _ids: pa.ChunkedArray = field(repr=False)
    _order: np.ndarray = field(repr=False)
    _bounds: np.ndarray = field(repr=False)
    _codes: Mapping[str, int] = field(repr=False)

    def variant_ids(self, source_id: str) -> set[str]:
        """Return the ids of every row of a source (real, edit, variant), empty for an unknown source."""
        code = self._codes.get(source_id)
        if code is None:
            return set()
        return set(self._ids.take(self._order[self._bounds[code] : self._bounds[code + 1]]).to_pylist())


def scan_sources(folder: Path, *, dataset: str | None = None) -> ManifestScan:
    """Scan an output folder (or its ``manifest`` folder), reading six small columns, one row group at a time.

    ``dataset`` keeps the rows of one data set. A damaged or foreign Parquet file does not stop the scan: it is
    named in ``problems`` and its rows count as absent. A folder that does not exist yet has no sources.
    Memory: about 100 bytes a row, none of the pictures.
    """
    inner = folder / MANIFEST_FOLDER
    folder = inner if inner.is_dir() else folder
    scanner = _Scanner(dataset)
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        scanner.add(path)
    return scanner.finish()


class _Scanner:
    """Gathers parts until enough rows are together to be counted at once."""

    def __init__(self, dataset: str | None) -> None:
        self.dataset = dataset
        self.sources: dict[str, SourceState] = {}
        self.codes: dict[str, int] = {}
        self.problems: list[str] = []
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._row_codes: list[np.ndarray] = []
        self._ids: list[pa.Array] = []

    def add(self, path: Path) -> None:
        try:
            part = open_part(path)
            tables = [
                part.read_row_group(group, columns=list(COLUMNS), use_threads=False)
                for group in range(part.num_row_groups)
            ]
        except ManifestError as error:
            self.problems.append(str(error))
            return
        except (pa.ArrowException, OSError, ValueError) as error:
            self.problems.append(str(damaged(path, error)))
            return
        for table in tables:
            if self.dataset is not None:
                table = table.filter(pc.equal(table.column("dataset"), self.dataset))
            for source_id in pc.unique(table.column("source_id")).to_pylist():
                state = self._state(source_id)
                if not state.parts or state.parts[-1] != path:
                    state.parts.append(path)
            self._waiting.append(table.replace_schema_metadata(None))
            self._waiting_rows += table.num_rows
        if self._waiting_rows >= _BATCH_ROWS:
            self._count()

    def _state(self, source_id: str) -> SourceState:
        state = self.sources.get(source_id)
        if state is None:
            state = self.sources[source_id] = SourceState(source_id)
            self.codes[source_id] = len(self.codes)
        return state

    def _count(self) -> None:
        if not self._waiting_rows:
            return
        table = pa.concat_tables(self._waiting).unify_dictionaries()
        self._waiting, self._waiting_rows = [], 0
        known = pa.array(list(self.codes), pa.string())
        self._row_codes.append(pc.index_in(table.column("source_id"), value_set=known).to_numpy())
        self._ids.extend(table.column("variant_id").chunks)
        for name in ("kind", "status"):
            table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(pa.string()))
        groups = table.group_by(list(_GROUP)).aggregate([([], "count_all")])
        columns = [groups.column(name).to_pylist() for name in (*_GROUP, "count_all")]
        for source_id, kind, status, parent_id, count in zip(*columns, strict=True):
            state = self.sources[source_id]
            state.rows[kind, status] += count
            if kind == "variant":
                state.attempted[parent_id] += count
                if status == "accepted":
                    state.accepted[parent_id] += count

    def finish(self) -> ManifestScan:
        self._count()
        codes = np.concatenate(self._row_codes) if self._row_codes else np.zeros(0, np.int64)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(self.codes) + 1))
        return ManifestScan(
            sources=self.sources, problems=self.problems, rows=len(codes),
            _ids=pa.chunked_array(self._ids, pa.string()), _order=order, _bounds=bounds, _codes=self.codes,
        )  # fmt: skip

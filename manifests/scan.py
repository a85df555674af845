"""The fast scan that resuming and topping up need: what is on disk, per source, from four small columns alone."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from singanimation.manifests.arrow_functions import pc
from singanimation.manifests.reading import MANIFEST_FOLDER, iter_tables
from singanimation.manifests.schema import STATUSES
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.places import in_bucket, reached

COLUMNS = ("dataset", "source_id", "variant_id", "status")
_PLAIN = pa.schema([(name, pa.string()) for name in COLUMNS])
_BATCH_ROWS = 200_000
_BETWEEN = "\0"
_AT_A_TIME, _AHEAD = 32, 1024


class ManifestScan:
    """The rows of a manifest by source: ids and statuses, about 60 bytes a row, none of the pictures.

    ``rows`` counts them; ``problems`` names the files that cannot be used as parts, one sentence each: their rows
    count as absent.
    """

    def __init__(self, manifest: Path) -> None:
        """Scan an output folder, its ``manifest`` folder, or one part; what does not exist yet has no rows."""
        inner = manifest / MANIFEST_FOLDER
        with reached(manifest):
            folder = inner if inner.is_dir() else manifest
        self.problems: list[str] = []
        with reached(manifest):
            found = [manifest] if manifest.is_file() else folder.glob("*.parquet")
            self._files = sorted(path for path in found if not path.name.startswith("."))
        self._codes: dict[str, int] = {}
        self._parts: dict[int, list[int]] = {}
        codes, ids, statuses = [], [], []
        for table, places in self._batches():
            codes.append(self._encode(table, places))
            ids += table.column("variant_id").cast(pa.large_string()).chunks
            found = pc.index_in(table.column("status"), value_set=pa.array(STATUSES, pa.string()))
            statuses.append(found.to_numpy().astype(np.int8))
        self._order(codes, ids, statuses)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._ids)

    def known(self, dataset: str, source_id: str) -> dict[str, str]:
        """Return the ids of a source's rows (real, edits, variants) with their statuses, empty for an unknown one."""
        code = self._codes.get(dataset + _BETWEEN + source_id)
        if code is None:
            return {}
        first, end = self._bounds[code], self._bounds[code + 1]
        statuses = [STATUSES[index] for index in self._statuses[first:end].tolist()]
        places = (self._places[first : end + 1] - self._places[first]).tolist()
        text = self._text[self._places[first] : self._places[end]].decode()
        if not text.isascii():  # ids of ours are hex digits; others' would be cut in the wrong places
            return dict(zip(self._ids[first:end].to_pylist(), statuses, strict=True))
        return dict(zip([text[a:b] for a, b in pairwise(places)], statuses, strict=True))

    def rows_digest(self, dataset: str, source_id: str) -> str | None:
        """Return a digest of a source's ids and statuses in their order, None for an unknown source."""
        code = self._codes.get(dataset + _BETWEEN + source_id)
        if code is None:
            return None
        first, end = self._bounds[code], self._bounds[code + 1]
        places = self._places[first : end + 1]
        ids = self._text[places[0] : places[-1]]
        return digest(ids, (places - places[0]).tobytes(), self._statuses[first:end].tobytes())

    def parts(self, dataset: str, source_id: str) -> list[Path]:
        """Return the files that hold a source's rows, sorted by name."""
        code = self._codes.get(dataset + _BETWEEN + source_id, -1)
        return [self._files[place] for place in self._parts.get(code, [])]

    def _batches(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield many parts' columns in one table, and for each of its rows the place of its file."""
        waiting: list[pa.Table] = []
        places: list[int] = []
        rows = 0
        for place, tables in enumerate(_all_tables(self._files)):
            if isinstance(tables, ManifestError):
                self.problems.append(str(tables))
                continue
            waiting += tables
            places += [place] * len(tables)
            rows += sum(table.num_rows for table in tables)
            if rows >= _BATCH_ROWS:
                yield _joined(waiting, places)
                waiting, places, rows = [], [], 0
        if rows:
            yield _joined(waiting, places)

    def _encode(self, table: pa.Table, places: np.ndarray) -> np.ndarray:
        """Return each row's source as a number, and note which files hold which source."""
        keys = pc.binary_join_element_wise(table.column("dataset"), table.column("source_id"), _BETWEEN)
        encoded = keys.combine_chunks().dictionary_encode()
        names = encoded.dictionary.to_pylist()
        numbers = np.array([self._codes.setdefault(name, len(self._codes)) for name in names], np.int64)
        codes = numbers[encoded.indices.to_numpy()]
        # rows of one source lie together: where source or file change is all there is to note
        begins = np.flatnonzero(np.diff(codes, prepend=-1) | np.diff(places, prepend=-1))
        for code, place in zip(codes[begins].tolist(), places[begins].tolist(), strict=True):
            held = self._parts.setdefault(code, [])
            if not held or held[-1] != place:
                held.append(place)
        return codes

    def _order(self, codes: list[np.ndarray], ids: list[pa.Array], statuses: list[np.ndarray]) -> None:
        """Keep ids and statuses so that the rows of one source lie together."""
        whole = np.concatenate(codes) if codes else np.zeros(0, np.int64)
        order = np.argsort(whole, kind="stable")
        self._bounds = np.searchsorted(whole[order], np.arange(len(self._codes) + 1))
        self._ids = pa.concat_arrays(ids).take(_indices(order)) if ids else pa.nulls(0, pa.large_string())
        _, places, text = self._ids.buffers()
        self._places = np.frombuffer(places, np.int64) if places else np.zeros(1, np.int64)
        self._text = text.to_pybytes() if text else b""
        self._statuses = np.concatenate(statuses)[order] if statuses else np.zeros(0, np.int8)


def _indices(order: np.ndarray) -> pa.Array:
    """Return indices as pyarrow has them; ``pa.array`` would import pandas, in every run."""
    return pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order.astype(np.int64))])


def _joined(tables: list[pa.Table], places: list[int]) -> tuple[pa.Table, np.ndarray]:
    return pa.concat_tables(tables), np.repeat(places, [table.num_rows for table in tables])


def _all_tables(paths: Sequence[Path]) -> Iterator[list[pa.Table] | ManifestError]:
    """Yield each part's columns, or what is wrong with it; of a bucket's parts, which take a while, many at a time."""
    if not paths or not in_bucket(paths[0]):
        yield from map(_tables, paths)
        return
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        for first in range(0, len(paths), _AHEAD):
            yield from threads.map(_tables, paths[first : first + _AHEAD])


def _tables(path: Path) -> list[pa.Table] | ManifestError:
    try:
        return [table.replace_schema_metadata(None).cast(_PLAIN) for _, table in iter_tables([path], COLUMNS)]
    except ManifestError as error:
        return error

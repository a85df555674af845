"""Leakage between splits: a source, a person or the very same picture on both sides."""

from collections.abc import Iterator

import pyarrow as pa

LEAK_COLUMNS = ("dataset", "source_id", "source_sha256", "group_id", "split")
_KEYS = {"source": "source_id", "person": "group_id", "picture": "source_sha256"}
_SENTENCES = {
    "source": "{count} sources have rows in more than one split",
    "person": "{count} people (group_id) have pictures in more than one split",
    "picture": "{count} pictures (source_sha256) are in more than one split",
}


class Leakage:
    """Gathers, table by table, in which splits each source, person and picture occurs.

    Sources and people are told apart by data set; pictures by their bytes alone, whatever set they came from.
    """

    def __init__(self) -> None:
        self._splits: dict[str, dict[tuple[str, str], str]] = {check: {} for check in _KEYS}
        self._leaks: dict[str, dict[tuple[str, str], set[str]]] = {check: {} for check in _KEYS}

    def add(self, table: pa.Table) -> None:
        """Take up a table with LEAK_COLUMNS, all of them strings."""
        groups = table.select(list(LEAK_COLUMNS)).group_by(list(LEAK_COLUMNS)).aggregate([])
        for row in groups.to_pylist():
            for check, column in _KEYS.items():
                if row[column]:
                    self._note(check, ("" if check == "picture" else row["dataset"], row[column]), row["split"])

    def faults(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield (check, sentence, names) for each kind of leakage that was found."""
        for check, leaks in self._leaks.items():
            names = [f"{name} ({', '.join(sorted(splits))})" for (_, name), splits in sorted(leaks.items())]
            if names:
                yield f"{check} leakage", _SENTENCES[check], names

    def _note(self, check: str, key: tuple[str, str], split: str) -> None:
        first = self._splits[check].setdefault(key, split)
        if first != split:
            self._leaks[check].setdefault(key, {first}).add(split)

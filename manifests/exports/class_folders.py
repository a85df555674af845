"""Pictures in ``<split>/<label>/``, with the same classes in every split."""

from pathlib import Path

from singanimation.manifests.exports.records import ExportReport, Names, Record


class ClassFolders:
    """Writes pictures below ``root``; readers that go by folders alone take the innermost one for the class."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names = Names()
        self._splits: set[str] = set()
        self._labels: set[str] = set()

    def write(self, record: Record) -> Path:
        """Write a record's picture and return its path relative to ``root``."""
        self._splits.add(record.split_name)
        self._labels.add(record.label_name)
        folder = Path(record.split_name) / record.label_name
        (self._root / folder).mkdir(parents=True, exist_ok=True)
        file = folder / f"{self._names.stem(record)}{record.ending}"
        (self._root / file).write_bytes(record.picture)
        return file

    def fill(self, report: ExportReport) -> None:
        """Give every split the folder of every label: who numbers the folders then numbers them alike; say which."""
        wanted = [Path(split) / label for split in sorted(self._splits) for label in sorted(self._labels)]
        empty = [folder.as_posix() for folder in wanted if not (self._root / folder).exists()]
        for folder in empty:
            (self._root / folder).mkdir()
        if empty:
            first = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
            report.warnings.append(
                f"{len(empty)} class folders are empty ({first}), so that classes have the same numbers in every "
                "split: ImageFolder wants allow_empty=True for those."
            )

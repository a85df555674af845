"""The picture that a name in somebody's table means."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from singanimation.pipeline.datasets.files import inside


class PictureNames:
    """Finds the picture that a table's name means: from the table's folder, from the root, else by its end alone."""

    def __init__(self, pictures: Sequence[PurePosixPath]) -> None:
        self._pictures = pictures

    @cached_property
    def _present(self) -> set[PurePosixPath]:
        return set(self._pictures)

    @cached_property
    def _by_name(self) -> dict[str, list[PurePosixPath]]:
        """Return the pictures by their names with and without the ending: made when a table is there to ask."""
        found: dict[str, list[PurePosixPath]] = {}
        for picture in self._pictures:
            for key in {picture.name.lower(), picture.stem.lower()}:
                found.setdefault(key, []).append(picture)
        return found

    def __call__(self, text: str | None, folder: Path) -> PurePosixPath | None:
        name = inside(text or "")
        if name is None:
            return None
        for place in (PurePosixPath(folder.as_posix()) / name, name):
            if place in self._present:
                return place
        candidates = self._by_name.get(name.name.lower()) or self._by_name.get(name.stem.lower(), [])
        ends = [_common_end(candidate, name) for candidate in candidates]
        best = [candidate for candidate, end in zip(candidates, ends, strict=True) if end == max(ends)]
        return best[0] if len(best) == 1 else None


def _common_end(first: PurePosixPath, second: PurePosixPath) -> int:
    """Return how many of the last folders of two paths are the same."""
    count = 0
    for one, other in zip(reversed(first.parts[:-1]), reversed(second.parts[:-1]), strict=False):
        if one.lower() != other.lower():
            break
        count += 1
    return count

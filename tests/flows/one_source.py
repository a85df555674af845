"""One source for tests of what it goes through, and the rows that come of it."""

from pathlib import Path

from singanimation.manifests.reading import read
from singanimation.pipeline.records import Source


def source_of(path: Path, **fields) -> Source:
    named = {"dataset": "faces", "source_id": path.name, "path": path, "source_path": path.name}
    return Source(**(named | {"label": "happiness"} | fields))


def frame_of(work):
    return read(work.manifest)

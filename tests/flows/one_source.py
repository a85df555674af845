"""One source for tests of what it goes through, and the rows that come of it."""

from pathlib import Path
from typing import Any

from singanimation.manifests.reading import read
from singanimation.pipeline.records import Source


def source_of(path: Path, **fields: Any) -> Source:
    named: dict[str, Any] = {"dataset": "faces", "source_id": path.name, "path": path, "source_path": path.name}
    named["label"] = "happiness"
    return Source(**(named | fields))


def frame_of(work) -> Any:
    return read(work.manifest)

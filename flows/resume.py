"""What an output folder already holds, found out at the start of a run."""

from pathlib import Path

from singanimation.manifests.compact import finish_compaction
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.write import remove_leftovers


def open_manifest(manifest: Path) -> ManifestScan:
    """Clear away what killed runs left, finish or undo an interrupted compaction, and scan. Hold the folder's lock."""
    remove_leftovers(manifest)
    finish_compaction(manifest)
    return ManifestScan(manifest)

"""What an output folder already holds, found out at the start of a run."""

from collections.abc import Sequence
from pathlib import Path

from singanimation.flows.models import Fingerprint
from singanimation.flows.source.remaining import plan_work
from singanimation.flows.source.row_ids import Identity
from singanimation.manifests.care.accept_again import Rejected, accept_rejected
from singanimation.manifests.care.compaction_plan import finish_compaction
from singanimation.manifests.scan import ManifestScan
from singanimation.manifests.write import remove_leftovers


def open_manifest(manifest: Path) -> ManifestScan:
    """Clear away what killed runs left, finish or undo an interrupted compaction, and scan. Hold the folder's lock."""
    remove_leftovers(manifest)
    finish_compaction(manifest)
    return ManifestScan(manifest)


def accept_again(identities: Sequence[Identity], disk: ManifestScan, models: Fingerprint) -> int:
    """Accept rejected variants that this run's SIFID limit allows, where their edits lack some; return how many."""
    edits = []
    for identity in identities:
        source = identity.source
        known = disk.known(source.dataset, source.source_id)
        if known.get(identity.real()) != "accepted":
            continue
        parts = tuple(disk.parts(source.dataset, source.source_id))
        edits += [Rejected(work.rejected, work.lacking, parts) for work in plan_work(identity, known) if work.lacking]
    return accept_rejected(edits, features=models.sifid_name, limit=models.sifid_threshold)

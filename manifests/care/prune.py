"""What `augment prune` takes out: rows that the data set no longer bears out."""

from collections.abc import Sequence
from pathlib import Path

from singanimation.manifests.care.removal import Removal, plan_removal
from singanimation.manifests.care.stale import find_stale
from singanimation.manifests.reading import iter_tables
from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.errors import UsageError

_SHOWN = 5


def plan_prune(parts: Sequence[Path], dataset: Dataset) -> Removal:
    """Return the removal of stale rows, with a sentence for each reason.

    Raises UsageError where not one source is in this data set: then it is more likely another one than one that lost
    every picture. ManifestError for damaged parts.
    """
    stale = find_stale(parts, [dataset])
    if not stale.known and set(stale.sources) <= {"gone"}:
        names = ", ".join(sorted(_names(parts)))
        raise UsageError(
            f"--input: none of the manifest's sources ({names}) is in {dataset.root or dataset.name}, so nothing is "
            "removed; name the data set as the job's --input did."
        )
    removal = plan_removal("prune", parts, stale.mask)
    for sentence, sources in stale.sentences():
        first = ", ".join(sources[:_SHOWN]) + (", ..." if len(sources) > _SHOWN else "")
        removal.notes.append(f"{sentence.replace('{count}', f'{len(sources):,}')}: {first}.")
    return removal


def _names(parts: Sequence[Path]) -> set[str]:
    tables = iter_tables(parts, ["dataset"])
    return {str(name) for _, table in tables for name in table.column("dataset").unique().to_pylist()}

"""Which sources a run works on: those that the options choose, without those that the manifest holds whole."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from singanimation.flows.job.balance_plan import allot, save_shares
from singanimation.flows.job.class_counts import planned_classes
from singanimation.flows.job.finished import Finished
from singanimation.flows.job.resume import accept_again, open_manifest
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.row_ids import Allotment, Identity
from singanimation.flows.source.work import file_sha256
from singanimation.pipeline.datasets import Dataset, open_dataset
from singanimation.pipeline.errors import MachineError, UsageError
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings

if TYPE_CHECKING:
    from singanimation.flows.job.job import Job


def open_sources(settings: Settings) -> tuple[Dataset, list[Source]]:
    """Open the data set and choose its sources. Raises DatasetError, UsageError."""
    dataset = open_dataset(settings)
    output = settings.output_folder.resolve()
    if dataset.root is not None and dataset.root.resolve() in (output, output / "manifest"):
        raise UsageError(f"--output {settings.output_folder} is the input itself; name another folder.")
    return dataset, choose_sources(dataset.sources, settings)


def choose_sources(sources: Sequence[Source], settings: Settings) -> list[Source]:
    """Return the sources that ``--splits`` and ``--limit`` allow, in order. Raises UsageError for none."""
    if "all" in settings.splits:
        chosen = list(sources)
    else:
        chosen = [source for source in sources if source.split in settings.splits]
    if not chosen:
        found = ", ".join(sorted({source.split for source in sources})) or "none"
        raise UsageError(f"--splits {','.join(settings.splits)}: the input has no such pictures; its splits: {found}.")
    return chosen[: settings.limit]


def find_todo(job: "Job", sources: Sequence[Source], models: Fingerprint) -> None:
    """Fill ``job.todo``: the sources that the manifest does not hold whole."""
    identities = _identities(job, sources, _allotments(job, sources), models)
    if job.settings.retry_failed:
        identities = iter(listed := list(identities))
        job.accepted_again = accept_again(listed, job.disk, models)
        if job.accepted_again:
            job.disk = open_manifest(job.run.manifest)
    job.finished = Finished(job.run.output, job.settings, models)
    for identity in identities:
        state = job.finished.state_of(identity, job.disk)
        if not state.done:
            job.todo.append(identity)
            continue
        job.complete += 1
        if state.missing:
            job.totals.short[identity.source.source_id] = state.missing
    job.totals.sources = len(job.todo)


def _allotments(job: "Job", sources: Sequence[Source]) -> Sequence[Allotment | None]:
    """Return what ``--balance`` asks of each source, saved before any work; None without it."""
    if not job.settings.balance:
        return [None] * len(sources)
    allotments = allot(sources, job.settings, job.disk)
    if allotments.new or allotments.grown:
        save_shares(sources, allotments, job.settings)
    job.planned = planned_classes(sources, allotments.each)
    job.balance_note = allotments.sentence()
    return allotments.each


def _identities(
    job: "Job", sources: Sequence[Source], allotments: Sequence[Allotment | None], models: Fingerprint
) -> Iterator[Identity]:
    """Yield the sources' identities; those whose files the machine could not read count as lost."""
    for source, allotment in zip(sources, allotments, strict=True):
        try:
            yield Identity(source, file_sha256(source), job.settings, models, allotment)
        except MachineError as error:
            job.totals.lost[source.source_id] = str(error)

"""What is left to do: the sources of a plan that the manifest does not hold whole."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from singanimation.flows.job.balance_plan import allot, save_shares
from singanimation.flows.job.class_counts import Classes, planned_classes
from singanimation.flows.job.finished import Finished
from singanimation.flows.job.resume import accept_again, open_manifest
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.row_ids import Allotment, Identity
from singanimation.flows.source.work import file_sha256
from singanimation.manifests.scan import ManifestScan
from singanimation.pipeline.donors import Donors
from singanimation.pipeline.errors import MachineError
from singanimation.pipeline.records import Source
from singanimation.pipeline.runs import Run


@dataclass
class Todo:
    """The identities of the sources that have work left, and what was found of the others.

    ``disk`` is the manifest as it was at the start, ``finished`` the memory of what is done; ``complete`` counts the
    sources that are, ``short`` those of them that lack variants, ``lost`` those whose files the machine could not read;
    ``accepted_again`` counts rejected variants that a new limit took in. ``planned`` is what ``--balance`` aims at,
    ``balance_note`` what became of an earlier plan.
    """

    disk: ManifestScan
    finished: Finished
    identities: list[Identity] = field(default_factory=list)
    complete: int = 0
    short: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    accepted_again: int = 0
    planned: Classes | None = None
    balance_note: str | None = None

    def __len__(self) -> int:
        return len(self.identities)


def find_todo(
    run: Run,
    sources: Sequence[Source],
    models: Fingerprint,
    disk: ManifestScan,
    donors_of: Callable[[Source], Donors | None] = lambda source: None,
) -> Todo:
    """Return what a run has left to do on ``sources``, by the rows that ``disk`` holds; ``donors_of`` gives donors."""
    settings = run.settings
    todo = Todo(disk, Finished(run.output, settings, models))
    identities = _identities(run, sources, _allotments(run, sources, todo), models, donors_of, todo)
    if settings.retry_failed:
        identities = iter(listed := list(identities))
        todo.accepted_again = accept_again(listed, disk, models)
        if todo.accepted_again:
            todo.disk = open_manifest(run.manifest)
    for identity in identities:
        state = todo.finished.state_of(identity, todo.disk)
        if not state.done:
            todo.identities.append(identity)
            continue
        todo.complete += 1
        if state.missing:
            todo.short[identity.source.source_id] = state.missing
    return todo


def _allotments(run: Run, sources: Sequence[Source], todo: Todo) -> Sequence[Allotment | None]:
    """Return what ``--balance`` asks of each source, saved before any work; None without it."""
    if not run.settings.balance:
        return [None] * len(sources)
    allotments = allot(sources, run.settings, todo.disk)
    if allotments.new or allotments.grown:
        save_shares(sources, allotments, run.settings)
    todo.planned = planned_classes(sources, allotments.each)
    todo.balance_note = allotments.sentence()
    return allotments.each


def _identities(
    run: Run,
    sources: Sequence[Source],
    allotments: Sequence[Allotment | None],
    models: Fingerprint,
    donors_of: Callable[[Source], Donors | None],
    todo: Todo,
) -> Iterator[Identity]:
    """Yield the sources' identities; those whose files the machine could not read count as lost."""
    for source, allotment in zip(sources, allotments, strict=True):
        try:
            yield Identity(source, file_sha256(source), run.settings, models, allotment, donors_of(source))
        except MachineError as error:
            todo.lost[source.source_id] = str(error)

"""What a run is going to work on, found out before anything is started: the same for a run and its dry run."""

from collections.abc import Sequence
from dataclasses import dataclass

from singanimation.flows.job.face_crops import mark_crops
from singanimation.flows.job.limit import limit_said, limited
from singanimation.flows.models import choose_device, load_appearance, load_judge
from singanimation.pipeline.datasets import Dataset, open_dataset
from singanimation.pipeline.donors import DonorPool, Donors
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import check_labels
from singanimation.pipeline.expressions import attributes_asked
from singanimation.pipeline.files.places import check_bucket, in_bucket
from singanimation.pipeline.forgotten import without_forgotten
from singanimation.pipeline.inception import check_features
from singanimation.pipeline.pyfeat import check_estimator
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import Settings
from singanimation.pipeline.system import most_processes, usable_cores


@dataclass(frozen=True)
class RunPlan:
    """The data set that was found, the sources chosen of it in their order, and how many processes work on them.

    ``notes`` are sentences on what was decided by the pictures, ``donors`` those that edits by donor are drawn from.
    """

    settings: Settings
    dataset: Dataset
    sources: Sequence[Source]
    workers: int
    notes: tuple[str, ...] = ()
    donors: DonorPool | None = None

    def donors_of(self, source: Source) -> Donors | None:
        """Return a source's donors, None where no edits by donor are asked for."""
        return None if self.donors is None else self.donors.of(source, self.settings.seed)


def plan_run(settings: Settings) -> RunPlan:
    """Open the data set and choose its sources; what a run would refuse is refused here, and nothing is written.

    Raises UsageError, DatasetError, WeightsError.
    """
    check_estimator(settings.aus)
    if settings.runner == "local":  # elsewhere it is the cluster's machines that need them
        check_features(settings.sifid_features)
    if in_bucket(settings.output_folder):
        check_bucket(settings.output_folder)
    if settings.runner == "local" and settings.device not in ("auto", "cpu"):
        choose_device(settings.device)
    by_label = _check_generator(settings)
    dataset, sources = open_sources(settings)
    said, donors = [by_label], None
    if settings.runner == "ray" and settings.workers is None:
        said.append("Ray: as many actors as the cluster has GPUs or cores; a plan without --workers counts with one.")
    if settings.frame == "auto":
        said.append(mark_crops(sources, dataset.sources))
    if "donor" in settings.expressions or attributes_asked(settings.expressions):
        donors = DonorPool(dataset.sources, settings.expressions)
        splits = sorted({source.split for source in sources})
        if "donor" in settings.expressions:
            said.append(donors.check(splits))
        if attributes_asked(settings.expressions):
            donors.check_wearers(splits)
    notes = tuple(sentence for sentence in said if sentence)
    return RunPlan(settings, dataset, sources, worker_count(settings, len(sources)), notes, donors)


def _check_generator(settings: Settings) -> str | None:
    """Load what the user brings of models once, before anything is written.

    Returns a sentence where an edit will not show all that its row says. Raises WeightsError, UsageError.
    """
    said = None
    if settings.ganimation is not None:
        from singanimation.stages.expansion.checkpoints import load_generator

        labels = load_generator(settings.ganimation).network.labels
        check_labels(labels, settings.expressions, settings.ganimation.name)
        if labels is not None:
            said = (
                f"{settings.ganimation.name} draws by label, at full strength: of what a row says its edit aims at, "
                "only the emotion is drawn, not form, strength and action units."
            )
    if settings.expression_judge is not None:
        load_judge(settings.expression_judge)
    asked = attributes_asked(settings.expressions)
    if asked:
        known = load_appearance(settings.attributes).attributes
        if not set(asked) <= set(known):
            whose = (
                f"--attributes {settings.attributes} knows" if settings.attributes else "the networks that ship know"
            )
            raise UsageError(
                f"{whose} {', '.join(known)}, not {', '.join(name for name in asked if name not in known)}; "
                "name in --expressions what they know, or train others (augment train attributes)."
            )
    return said


def open_sources(settings: Settings) -> tuple[Dataset, list[Source]]:
    """Open the data set and choose its sources. Raises DatasetError, UsageError."""
    dataset = without_forgotten(open_dataset(settings), settings.output_folder)
    output = settings.output_folder.resolve()
    if dataset.root is not None and dataset.root.resolve() in (output, output / "manifest"):
        raise UsageError(f"--output {settings.output_folder} is the input itself; name another folder.")
    chosen = choose_sources(dataset.sources, settings)
    if len(chosen) == settings.limit:
        allowed = choose_sources(dataset.sources, settings.model_copy(update={"limit": None, "limit_by": "name"}))
        dataset.warnings.extend(limit_said(chosen, allowed, settings))
    return dataset, chosen


def choose_sources(sources: Sequence[Source], settings: Settings) -> list[Source]:
    """Return the sources that ``--splits`` and ``--limit`` allow, in order. Raises UsageError for none."""
    if "all" in settings.splits:
        chosen = list(sources)
    else:
        chosen = [source for source in sources if source.split in settings.splits]
    if not chosen:
        found = ", ".join(sorted({source.split for source in sources})) or "none"
        raise UsageError(f"--splits {','.join(settings.splits)}: the input has no such pictures; its splits: {found}.")
    return limited(chosen, settings)


def worker_count(settings: Settings, sources: int) -> int:
    """Return how many worker processes to use: as asked, else one a core, one on a GPU; no more than sources.

    A Ray cluster is not asked: without ``--workers`` one is what a plan counts with.
    """
    if settings.runner == "ray":
        return max(min(settings.workers or 1, sources), 1)
    if settings.workers is not None:
        return most_processes(min(settings.workers, max(sources, 1)))
    if settings.device.startswith("cuda"):
        return 1
    return most_processes(max(min(usable_cores(), sources), 1))

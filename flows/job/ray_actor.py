"""What runs on a node of a Ray cluster: one actor with its models, and what travels to it and back."""

import os
import platform
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from singanimation.flows.job.pool import LIBRARY_THREADS, resolve
from singanimation.flows.models import Fingerprint, Models
from singanimation.flows.source.work import Outcome, SourceJob, make_rows
from singanimation.pipeline.digests import code_version
from singanimation.pipeline.errors import MachineError, PictureError
from singanimation.pipeline.files.pictures import source_bytes
from singanimation.pipeline.records import Row, Source
from singanimation.pipeline.settings import Settings

# Other releases of these may draw or write other bytes.
_LIBRARIES = ("torch", "numpy", "cv2", "PIL", "scipy", "pyarrow")


@dataclass(frozen=True)
class About:
    """What an actor is: its models, the versions that decide its bytes, and where it runs (which decides nothing)."""

    models: Fingerprint
    versions: Mapping[str, str]
    node: str = field(compare=False)

    def differs_in(self, other: "About") -> str:
        """Return what differs from another actor, in words; empty where both give the same rows."""
        names = [name for name in self.versions if self.versions[name] != other.versions.get(name)]
        found = [f"{name} {self.versions[name]} instead of {other.versions.get(name)}" for name in names]
        if self.models != other.models:
            found.append("other models")
        return ", ".join(found)


@dataclass
class Made:
    """What came of a source on a node: its new rows, and the outcome without what writing them adds."""

    rows: Sequence[Row]
    outcome: Outcome


class AugmentActor:
    """One thread's worth of work on a node: models loaded once, then one source after another."""

    def __init__(self, settings: Settings, loader: str) -> None:
        for name in LIBRARY_THREADS:  # the same bytes wherever a source is worked on
            os.environ[name] = "1"
        self._settings, self._loader = settings, loader
        self._models: Models | None = None

    def about(self) -> About:
        """Load the models and say what this actor is. Raises WeightsError, UsageError."""
        import cv2

        cv2.setNumThreads(0)
        models = self._models = self._models or resolve(self._loader)(self._settings)
        versions = {"singanimation": code_version()} | {name: import_module(name).__version__ for name in _LIBRARIES}
        return About(models.fingerprint, versions, platform.node())

    def work(self, job: SourceJob) -> Made:
        """Make the rows of one source; what goes wrong is in the outcome, as in a worker process."""
        name = job.identity.source.source_id
        try:
            assert self._models is not None
            return Made(*make_rows(job, self._models))
        except MachineError as error:
            return Made([], Outcome(name, lost=str(error)))
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            return Made([], Outcome(name, lost=text, message=traceback.format_exc(), fault="internal_error"))


def carried(job: SourceJob) -> SourceJob:
    """Return the job with the bytes of its picture, and of its donors', in it: nodes need not have the files.

    Raises PictureError for the picture itself; a donor without a readable one stays as it is.
    """
    identity = job.identity
    donors = identity.donors
    if donors is not None:
        donors = donors.each(_donor)
    return replace(job, identity=replace(identity, source=_with_bytes(identity.source), donors=donors))


def _with_bytes(source: Source) -> Source:
    if source.data is not None or source.problem is not None:
        return source
    return replace(source, data=source_bytes(source))


def _donor(donor: Source) -> Source:
    try:
        return _with_bytes(donor)
    except PictureError:
        return donor


def actor_class(ray: Any, gpus: float) -> Any:
    """Return the actor as Ray starts it: on one core, with ``gpus`` of a GPU, and never again by itself."""
    return ray.remote(AugmentActor).options(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)

"""Who works: processes of this machine, or actors of a Ray cluster."""

from typing import Protocol

from singanimation.flows.job.plan import RunPlan
from singanimation.flows.job.pool import WorkerPool
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.work import Outcome, SourceJob


class Pool(Protocol):
    """Workers of one run with their models loaded. Thread-safe: each thread in ``augment`` keeps one busy."""

    workers: int

    def at_most(self, workers: int) -> None:
        """Have no more workers than that; only before any is at work."""

    def load(self) -> None:
        """Let every worker load the models, and return at once."""

    def fingerprint(self) -> Fingerprint:
        """Wait for the models and say what they are. Raises WeightsError and its kin, MachineError."""
        ...

    def augment(self, job: SourceJob) -> Outcome:
        """Work on one source; what goes wrong is in the outcome."""
        ...

    def close(self, *, now: bool = False) -> None:
        """End the workers; ``now`` does not wait for what they are at."""


def make_pool(plan: RunPlan, loader: str) -> Pool:
    """Return the workers that ``--runner`` asks for. Raises UsageError for a cluster that does not answer."""
    if plan.settings.runner == "ray":
        from singanimation.flows.job.ray_pool import RayPool

        return RayPool(plan.settings, len(plan.sources), loader)
    return WorkerPool(plan.settings, plan.workers, loader)

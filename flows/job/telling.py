"""What a run's log says of its models and of each source."""

import logging

from singanimation.flows.job.progress import Reporter
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.outcome import Outcome
from singanimation.pipeline.records import Source

LOGGER = logging.getLogger("singanimation.job")


def tell_models(models: Fingerprint, reporter: Reporter) -> None:
    """Log what a run draws and judges with; what it warns of is said to the user too."""
    LOGGER.info(
        "action units: %s; faces found by: %s; SIFID on: %s", models.estimator, models.detector, models.sifid_name
    )
    for note in models.notes:
        LOGGER.info("%s", note)
    for warning in models.warnings:
        reporter.say(f"warning: {warning}")
        LOGGER.warning("%s", warning)


def log_outcome(source: Source, outcome: Outcome) -> None:
    """Log what came of one source."""
    if outcome.lost is not None:
        LOGGER.error("%s: not done: %s\n%s", source.source_id, outcome.lost, outcome.message or "")
    elif outcome.failed is not None:
        LOGGER.warning("%s: %s: %s", source.source_id, outcome.failed, outcome.message)
    else:
        rejected, notes = sum(outcome.rejected.values()), "; ".join(outcome.notes)
        LOGGER.info("%s: %d accepted, %d rejected %s", source.source_id, outcome.accepted, rejected, notes)

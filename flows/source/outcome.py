"""What is asked of one source, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from singanimation.flows.source.row_ids import Identity, Known


@dataclass(frozen=True)
class SourceJob:
    """One source to work on: whose it is, and which of its rows the manifest already holds."""

    identity: Identity
    known: Known
    run_id: str
    manifest: Path


@dataclass
class Outcome:
    """What became of one source; ``lost`` says why it could not be worked on (its part is then absent).

    ``fault`` is the manifest's reason for a loss that may well come again: a row, if it does in a later run.
    ``rows`` is how many more the manifest has: those of its part, less the ones that the part took the place of.
    """

    source_id: str
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    edits: int = 0
    edits_rejected: int = 0
    failed: str | None = None
    message: str | None = None
    missing: int = 0
    lost: str | None = None
    fault: str | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    part: Path | None = None
    rows: int = 0

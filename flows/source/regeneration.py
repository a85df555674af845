"""The regenerations of one source: its SinGANs, their draws, and what the checks and SIFID say of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from singanimation.flows.models import Models
from singanimation.flows.source.outcome import Outcome
from singanimation.flows.source.reframing import Reframer, resized
from singanimation.flows.source.remaining import Attempt, EditWork
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.rows import RowMaker
from singanimation.pipeline.records import Fault, Row

if TYPE_CHECKING:
    from singanimation.stages.singan import FittedRegenerator


def fit_edits(
    identity: Identity, models: Models, works: Sequence[EditWork], edits: np.ndarray
) -> "FittedRegenerator | None":
    """Fit one SinGAN per edit that still lacks variants. All edits go in (one gan_batch), whatever is left to draw:

    an engine that starts the others warm from the first then does the same in a run that tops up.
    """
    size = identity.settings.singan_size
    shrunk = np.stack([resized(edit, size) for edit in edits])
    wanted = [index for index, work in enumerate(works) if work.attempts]
    seeds = [work.fit_seed for work in works]
    return models.regenerator.fit(shrunk, seeds, identity.settings.start_scale, wanted) if wanted else None


@dataclass(frozen=True)
class ShippedEdit:
    """An edit uint8 (128, 128, 3), as its engine learnt it (``as_learnt``), and its action units as it is shipped."""

    pixels: np.ndarray
    learnt: np.ndarray
    action_units: np.ndarray


def regenerate(
    fitted: "FittedRegenerator | None", index: int, work: EditWork, edit: ShippedEdit, judge: "VariantJudge"
) -> list[Row]:
    """Draw variants of one edit until its quota is met or its attempts run out."""
    rows: list[Row] = []
    lacking, attempts = work.lacking, list(work.attempts)
    if fitted is None or not attempts:
        judge.outcome.missing += lacking
        return rows
    size = edit.pixels.shape[0]
    kept = [resized(variant, size) for variant in _draw(fitted, index, work.kept)]
    while lacking and attempts:
        # never more than are lacking: the attempts made are then the same whether a run tops up or not
        batch, attempts = attempts[:lacking], attempts[lacking:]
        variants = [resized(variant, size) for variant in _draw(fitted, index, batch)]
        new = judge(work, edit, list(zip(batch, variants, strict=True)), kept)
        lacking -= sum(row.status == "accepted" for row in new)
        rows += new
    judge.outcome.missing += lacking
    return rows


@dataclass(frozen=True)
class VariantJudge:
    """Measures variants against their edit and writes their rows."""

    maker: RowMaker
    models: Models
    ship: "Reframer"
    au_source: np.ndarray
    outcome: Outcome

    def __call__(
        self, work: EditWork, edit: ShippedEdit, drawn: Sequence[tuple[Attempt, np.ndarray]], kept: list[np.ndarray]
    ) -> list[Row]:
        """Return the rows of what was drawn, in order; the accepted join ``kept``, which later ones must not copy."""
        values = np.asarray(self.models.sifid.measure(edit.pixels, np.stack([each for _, each in drawn])), np.float32)
        rows = []
        for (attempt, variant), value in zip(drawn, values.tolist(), strict=True):
            shipped = self.ship(variant)
            units = edit.action_units, shipped.action_units
            fault = self.models.checks.first_fault((edit.learnt, variant), units, kept) or self._too_far(value)
            size = self.models.start_size(attempt.start)
            rows.append(self.maker.variant(work, attempt, self.au_source, shipped, (value, fault), size))
            if fault:
                self.outcome.rejected[fault.reason] += 1
            else:
                self.outcome.accepted += 1
                kept.append(variant)
        return rows

    def _too_far(self, sifid: float) -> Fault | None:
        """Judge the SIFID, last of all: under another limit a variant with this fault alone would be accepted."""
        if bool(self.models.sifid.accepts(np.array([sifid], np.float32))[0]):
            return None
        limit = self.models.sifid.threshold
        return Fault("sifid", f"SIFID {sifid:.4g} is above the limit of {limit:.4g}.")


def _draw(fitted: "FittedRegenerator", index: int, attempts: Sequence[Attempt]) -> list[np.ndarray]:
    """Draw the attempts' variants, uint8 (H, W, 3) each, in their order; those of one start scale together."""
    drawn: dict[int, np.ndarray] = {}
    for start in dict.fromkeys(attempt.start for attempt in attempts):
        group = [attempt for attempt in attempts if attempt.start == start]
        pictures = fitted.draw(index, start, [attempt.seed for attempt in group])
        drawn.update({attempt.index: picture for attempt, picture in zip(group, pictures, strict=True)})
    return [drawn[attempt.index] for attempt in attempts]

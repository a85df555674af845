"""Identities and rows of one source: what is asked for, what is already there, what became of it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np

from singanimation.flows.models import Fingerprint
from singanimation.pipeline.balance import balance
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.identity import Digest, code_version, derive_seed, digest
from singanimation.pipeline.plan import (
    ATTEMPTS_PER_ACCEPTED,
    plan_edits,
    plan_seed,
    quotas,
    start_of_attempt,
)
from singanimation.pipeline.records import ExpressionTarget, Row, Source
from singanimation.pipeline.settings import Settings

Allotment = Mapping[str, int]
"""Emotion -> how many variants of it a source gives under ``--balance``."""

Known = Mapping[str, str]
"""variant_id -> status of rows that the manifest already holds."""


@dataclass(frozen=True)
class Attempt:
    """One variant to try: its place among the attempts at an edit, its start scale, seed and row id."""

    index: int
    start: str
    seed: int
    variant_id: str


@dataclass(frozen=True)
class EditWork:
    """One planned edit: its quota, how many accepted variants it still lacks, and the attempts that remain.

    ``rejected`` are the ids of attempts that were made and rejected, in their order, while any are lacking.
    """

    target: ExpressionTarget
    edit_id: str
    fit_seed: int
    quota: int
    lacking: int
    attempts: tuple[Attempt, ...]
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """Makes the row ids of one source (``sha256`` of its file's bytes, None when it could not be read).

    ``allotment`` is what ``--balance`` asks of it; None: ``--per-image`` variants over the plan's edits.
    """

    source: Source
    sha256: str | None
    settings: Settings
    fingerprint: Fingerprint
    allotment: Allotment | None = None

    @property
    def frame(self) -> str:
        """Return ``source`` or ``crop``: what ``--frame auto`` means for this source."""
        if self.settings.frame != "auto":
            return self.settings.frame
        return "source" if self.source.is_face_crop else "crop"

    def real(self) -> str:
        """Return the id of the source's own row: data set, source id and bytes alone."""
        return digest("real", self.source.dataset, self.source.source_id, self.sha256 or "")

    def edit(self, target: ExpressionTarget) -> str:
        """Return the id of an edit's row."""
        return self._synthetic("edit", target, self._edit_pixels).hex()

    def variants(self, target: ExpressionTarget, first: str) -> Callable[[str, int], str]:
        """Return a function: (start scale, number of the attempt) -> the id of its row.

        ``first`` is the key of the plan's first target: engines may start the other edits' SinGANs from the first
        one's, so it is part of what decides the pixels. Most of the digest is shared by the attempts: a second run
        over a large manifest asks for a million of them.
        """
        shared = self._synthetic("variant", target, self._pixels)
        return lambda start, attempt: shared.and_then(start, attempt, first).hex()

    def seed(self, stage: str, target: ExpressionTarget, index: int = 0) -> int:
        """Return the seed of a stage's work on this source and target."""
        return derive_seed(self.settings.seed, self.source.source_id, f"{stage}:{target.key}", index)

    @cached_property
    def _edit_pixels(self) -> str:
        return self.settings.edit_digest(frame=self.frame, **self.fingerprint.resolved())

    @cached_property
    def _pixels(self) -> str:
        return self.settings.pixel_digest(frame=self.frame, **self.fingerprint.resolved())

    def _synthetic(self, kind: str, target: ExpressionTarget, pixels: str) -> Digest:
        source = self.source
        return Digest(
            kind, source.dataset, source.source_id, self.sha256 or "", target.key, self.settings.seed, pixels
        )


def plan_work(identity: Identity, known: Known, au_source: np.ndarray | None = None) -> tuple[EditWork, ...]:
    """Return what is asked for of one source; ids do not depend on ``au_source``, only the AU targets do."""
    units = np.zeros(17, np.float32) if au_source is None else au_source
    targets, wanted = planned(identity.source, identity.settings, identity.allotment, units)
    return tuple(_edit_work(identity, targets, place, quota, known) for place, quota in enumerate(wanted))


def planned(
    source: Source, settings: Settings, allotment: Allotment | None, au_source: np.ndarray
) -> tuple[tuple[ExpressionTarget, ...], tuple[int, ...]]:
    """Return a source's targets and how many accepted variants each should have."""
    label, seed = canonical_label(source), plan_seed(settings.seed, source.source_id)
    if allotment is None:
        targets = plan_edits(label, au_source, settings, seed, source.label_weights)
        return targets, quotas(settings.per_image, len(targets))
    if not allotment:
        return (), ()
    count = len(allotment)
    chosen = settings.model_copy(update={"expressions": tuple(allotment), "edits": count, "per_image": count})
    targets = plan_edits(label, au_source, chosen, seed, source.label_weights)
    return targets, tuple(allotment[target.name] for target in targets)


def allot(sources: Sequence[Source], settings: Settings) -> Sequence[Allotment | None]:
    """Return each source's allotment: None without ``--balance``. Raises UsageError when no class may be made."""
    if not settings.balance:
        return [None] * len(sources)
    named = [name for name in EMOTIONS if name in settings.expressions or "discrete" in settings.expressions]
    if not named:
        raise UsageError("--balance makes discrete edits: --expressions must hold `discrete` or emotions.")
    allotments: list[Allotment | None] = [None] * len(sources)
    for split in {source.split for source in sources}:  # a split is trained or measured on by itself
        places = [place for place, source in enumerate(sources) if source.split == split]
        labels = [canonical_label(sources[place]) for place in places]
        for place, allotment in zip(places, balance(labels, settings.per_image, named), strict=True):
            allotments[place] = allotment
    return allotments


@dataclass(frozen=True)
class State:
    """Whether nothing is left to do for a source, and how many accepted variants it then lacks all the same."""

    done: bool
    missing: int = 0


def state_of(identity: Identity, known: Known) -> State:
    """Return how far a source is, by the rows that are there."""
    status = known.get(identity.real())
    if status is None:
        return State(False)
    if status == "failed":
        return State(not identity.settings.retry_failed)
    works = plan_work(identity, known)
    return State(
        all(work.edit_id in known and not work.attempts for work in works), sum(work.lacking for work in works)
    )


def canonical_label(source: Source) -> str | None:
    """Return the source's label when it is one of the seven emotions."""
    return source.label if source.label in EMOTION_INDEX else None


def _edit_work(
    identity: Identity, targets: Sequence[ExpressionTarget], place: int, quota: int, known: Known
) -> EditWork:
    target, first = targets[place], targets[0].key
    lacking, made, open_attempts = quota, [], []
    name = identity.variants(target, first)
    for index in range(quota * ATTEMPTS_PER_ACCEPTED):
        start = start_of_attempt(place, index, identity.settings.start_scale)
        variant_id = name(start, index)
        if variant_id in known:
            made.append(variant_id)
        else:
            open_attempts.append((index, start, variant_id))
        lacking -= known.get(variant_id) == "accepted"
        if not lacking:
            break
    attempts = [
        Attempt(index, start, identity.seed("draw", target, index), variant_id)
        for index, start, variant_id in (open_attempts if lacking else ())
    ]
    rejected = tuple(name for name in made if known[name] == "rejected") if lacking else ()
    return EditWork(
        target, identity.edit(target), identity.seed("fit", target), quota, lacking, tuple(attempts), rejected
    )


class RowMaker:
    """Builds the rows of one source; what all of them share is written once."""

    def __init__(self, identity: Identity, run_id: str) -> None:
        self._identity = identity
        source, settings, models = identity.source, identity.settings, identity.fingerprint
        label = canonical_label(source)
        self._base = Row(
            variant_id=identity.real(),
            kind="real",
            dataset=source.dataset,
            source_id=source.source_id,
            source_path=source.source_path,
            source_sha256=identity.sha256,
            split=source.split,
            group_id=source.group_id or source.source_id,
            licence=source.licence,
            label=label,
            source_label=source.source_label,
            label_weights=source.label_weights,
            label_origin="source" if label else None,
            run_id=run_id,
            created_at=datetime.now(UTC),
            code_version=code_version(),
            settings_sha256=settings.settings_digest(),
            weights_sha256=models.editor,
        )

    def failed(self, reason: str, message: str) -> Row:
        """Return the source's row when it cannot be used."""
        return replace(self._base, status="failed", reason=reason, message=message)

    def real(self, size: tuple[int, int], au_source: np.ndarray, message: str | None, image: bytes | None) -> Row:
        """Return the source's row; ``size`` is height, width; ``image`` its PNG when it is to be embedded."""
        units = as_tuple(au_source)
        row = replace(self._base, width=size[1], height=size[0], au_source=units, au_measured=units)
        row = replace(row, au_estimator=self._identity.fingerprint.estimator, message=message)
        return self._with_image(row, image, "real") if image is not None else row

    def edit(self, work: EditWork, au_source: np.ndarray, shipped: "Shipped") -> Row:
        """Return the row of an edit."""
        row = self._synthetic(work, au_source, shipped, "edit")
        return replace(
            row,
            variant_id=work.edit_id,
            kind="edit",
            parent_id=self._base.variant_id,
            seed=plan_seed(self._identity.settings.seed, self._identity.source.source_id),
        )

    def variant(
        self,
        work: EditWork,
        attempt: Attempt,
        au_source: np.ndarray,
        shipped: "Shipped",
        judged: tuple[float, bool],
        start_size: int,
    ) -> Row:
        """Return the row of an attempted variant; ``judged`` is its SIFID, and whether that is small enough."""
        sifid, accepted = judged
        row = self._synthetic(work, au_source, shipped, f"{attempt.start}_{attempt.index}")
        models = self._identity.fingerprint
        limit = models.sifid_threshold
        return replace(
            row,
            variant_id=attempt.variant_id,
            kind="variant",
            parent_id=work.edit_id,
            seed=attempt.seed,
            engine=self._identity.settings.engine,
            start_scale=attempt.start,
            start_size=start_size,
            sifid=sifid,
            sifid_features=models.sifid_name,
            status="accepted" if accepted else "rejected",
            reason=None if accepted else "sifid",
            message=None if accepted else f"SIFID {sifid:.4g} is above the limit of {limit:.4g}.",
        )

    def _synthetic(self, work: EditWork, au_source: np.ndarray, shipped: "Shipped", suffix: str) -> Row:
        target = work.target
        row = replace(
            self._base,
            label=target.label,
            label_weights=target.label_weights,
            label_origin=target.label_origin,
            edit_kind=target.kind,
            edit_name=target.name,
            edit_strength=target.strength,
            au_source=as_tuple(au_source),
            au_target=target.action_units,
            au_measured=as_tuple(shipped.action_units),
            au_estimator=self._identity.fingerprint.estimator,
            width=shipped.size[1],
            height=shipped.size[0],
        )
        name = f"{target.kind}-{target.name.replace('>', '-to-')}@{target.strength:.2f}__{suffix}"
        return self._with_image(row, shipped.png, name)

    def _with_image(self, row: Row, png: bytes, name: str) -> Row:
        source = self._identity.source
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", PurePosixPath(source.source_path).stem)
        path = f"{stem}-{digest(source.source_id, length=8)}__{name}.png"
        return replace(row, image=png, image_path=path, image_sha256=sha256_hex(png))


@dataclass(frozen=True)
class Shipped:
    """A synthetic picture as it is shipped: PNG bytes, (height, width), and its measured action units (17,)."""

    png: bytes
    size: tuple[int, int]
    action_units: np.ndarray


def as_tuple(units: np.ndarray) -> tuple[float, ...]:
    """Return an AU vector as plain floats."""
    return tuple(float(value) for value in units)


def sha256_hex(data: bytes) -> str:
    """Return the hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()

"""The expression plan: what a source's edits aim at, how many variants of each, from which scales.

Which edits those are is drawn in ``choices``; here its action units come in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from singanimation.pipeline.choices import Choice, blend_name
from singanimation.pipeline.digests import derive_seed
from singanimation.pipeline.expressions import (
    AU_INDEX,
    AU_NAMES,
    EMOTION_INDEX,
    EMOTIONS,
    NOT_EXPRESSIVE,
    nearest_prototype,
)
from singanimation.pipeline.forms import PLAN, DrawnForm, FormMix, draw_form, first_form
from singanimation.pipeline.records import ExpressionTarget
from singanimation.pipeline.settings import Settings

ATTEMPTS_PER_ACCEPTED = 3
"""At most this many times the wanted variants are attempted."""

LABEL_STRENGTH = 0.5
"""From this strength up a discrete edit carries its target's label."""

_EXPRESSIVE = np.array([name not in NOT_EXPRESSIVE for name in AU_NAMES])


@dataclass(frozen=True)
class SourceFace:
    """What the plan knows of a source: its label (canonical or None), soft label, and action units (17,)."""

    label: str | None
    action_units: np.ndarray
    label_weights: tuple[float, ...] | None = None


def discrete_target(
    face: SourceFace, emotion: str, strength: float, drawn: DrawnForm | None = None
) -> ExpressionTarget:
    """Aim at ``y + s (e - y)`` with e a form of the emotion, or compound, for all AUs but the blink.

    ``drawn`` is that form (default: the first one). A compound has no label among the seven.
    """
    drawn = first_form(emotion) if drawn is None else drawn
    y = np.asarray(face.action_units, np.float32)
    aim = np.where(_EXPRESSIVE, y + strength * (drawn.units - y), y)
    if strength >= LABEL_STRENGTH:
        label = emotion if emotion in EMOTION_INDEX else None
        target = _target("discrete", emotion, strength, aim, label, None, "target" if label else None)
    else:
        target = _target("discrete", emotion, strength, aim, face.label, face.label_weights, _origin(face.label))
    return _formed(target, drawn)


def continuous_target(face: SourceFace, emotion: str, alpha: float, drawn: DrawnForm | None = None) -> ExpressionTarget:
    """Aim at ``alpha y_g + (1 - alpha) y_r`` over all AUs; soft weights ``1 - alpha, alpha``.

    y_g is a form of the emotion: ``drawn`` (default: the first one). The hard label is the nearer end's, none at
    exactly 0.5. Without a source label there are no weights, and a label only beyond the middle.
    """
    drawn = first_form(emotion) if drawn is None else drawn
    y = np.asarray(face.action_units, np.float32)
    aim = alpha * drawn.units + (1 - alpha) * y
    label = None if alpha == LABEL_STRENGTH else emotion if alpha > LABEL_STRENGTH else face.label
    weights = None
    if face.label is not None:
        start = np.asarray(face.label_weights or one_hot(face.label))
        weights = tuple(float(value) for value in alpha * np.asarray(one_hot(emotion)) + (1 - alpha) * start)
    origin = "interpolated" if label is not None or weights is not None else None
    return _formed(_target("continuous", blend_name(face.label, emotion), alpha, aim, label, weights, origin), drawn)


def donor_target(
    face: SourceFace, emotion: str, strength: float, donor: str, units: np.ndarray | None
) -> ExpressionTarget:
    """Aim at ``y + s (d - y)`` with d the donor's action units (17,), for all AUs but the blink; labelled as the donor.

    ``units`` None: they are not known yet, or the donor has no usable face; the edit then aims at the source itself.
    """
    y = np.asarray(face.action_units, np.float32)
    aim = y if units is None else np.where(_EXPRESSIVE, y + strength * (np.asarray(units, np.float32) - y), y)
    return replace(_target("donor", emotion, strength, aim, emotion, None, "target"), donor=donor)


def appearance_target(face: SourceFace, attribute: str, name: str) -> ExpressionTarget:
    """Aim at the source's own expression and label: what changes is what it wears."""
    own = face.label_weights
    target = _target("appearance", name, 1.0, face.action_units, face.label, own, _origin(face.label))
    return replace(target, attribute=attribute)


def single_target(face: SourceFace, unit: str, strength: float) -> ExpressionTarget:
    """Aim at ``y + s (1 - y)`` for one AU; the source's label stays while the nearest prototype does."""
    y = np.asarray(face.action_units, np.float32)
    aim = y.copy()
    aim[AU_INDEX[unit]] += strength * (1 - aim[AU_INDEX[unit]])
    return units_target(face, unit, strength, aim)


def units_target(face: SourceFace, name: str, strength: float, aim: np.ndarray) -> ExpressionTarget:
    """Aim at any AU vector (17,) as a ``single`` edit; the label stays only while the nearest prototype does."""
    kept = nearest_prototype(aim) == nearest_prototype(face.action_units)
    label = face.label if kept else None
    return _target("single", name, strength, aim, label, face.label_weights if kept else None, _origin(label))


def targets_of(
    choices: Sequence[Choice],
    face: SourceFace,
    donor_units: Mapping[str, np.ndarray] | None = None,
    mix: FormMix = PLAN,
) -> tuple[ExpressionTarget, ...]:
    """Return what the planned edits of a face aim at; ``donor_units`` are the donors' AUs (17,) by source_id."""
    return tuple(_target_of(choice, face, donor_units or {}, mix) for choice in choices)


def edits_wanted(settings: Settings) -> int:
    """Return how many edits a source's plan has, where ``settings.expressions`` holds that many."""
    return min(settings.edits, settings.per_image)


def plan_seed(run_seed: int, source_id: str) -> int:
    """Return the seed of a source's plan."""
    return derive_seed(run_seed, source_id, "plan")


def quotas(per_image: int, edits: int) -> tuple[int, ...]:
    """Spread ``per_image`` accepted variants evenly over ``edits`` edits, the first ones taking the rest.

    Each quota only grows with ``per_image``, so that a later, larger run tops up.
    """
    if edits == 0:
        return ()
    return tuple(per_image // edits + (index < per_image % edits) for index in range(edits))


def start_of_attempt(place: int, attempt: int, starts: Sequence[str]) -> str:
    """Return the start scale of an attempt at the edit of this place in the plan.

    Attempts alternate, and so do the first attempts of a source's edits: one variant each gives an even mix.
    """
    return starts[(place + attempt) % len(starts)]


def one_hot(emotion: str) -> tuple[float, ...]:
    """Return the (7,) label weights of one emotion."""
    return tuple(float(index == EMOTION_INDEX[emotion]) for index in range(len(EMOTIONS)))


def _target_of(
    choice: Choice, face: SourceFace, donor_units: Mapping[str, np.ndarray], mix: FormMix
) -> ExpressionTarget:
    if choice.donor is not None:
        return donor_target(face, choice.aim, choice.strength, choice.donor, donor_units.get(choice.donor))
    if choice.kind == "appearance":
        return appearance_target(face, choice.aim, choice.name)
    if choice.form is None:
        return single_target(face, choice.aim, choice.strength)
    make = discrete_target if choice.kind == "discrete" else continuous_target
    return make(face, choice.aim, choice.strength, draw_form(choice.form, choice.seed, mix))


def _formed(target: ExpressionTarget, drawn: DrawnForm) -> ExpressionTarget:
    sides = tuple(drawn.sides.tolist()) if drawn.sides.any() else None
    return replace(target, form=drawn.form.name, sides=sides)


def _origin(label: str | None) -> str | None:
    return "source" if label is not None else None


def _target(
    kind: str,
    name: str,
    strength: float,
    aim: np.ndarray,
    label: str | None,
    weights: tuple[float, ...] | None,
    origin: str | None,
) -> ExpressionTarget:
    units = tuple(np.asarray(aim, np.float32).clip(0, 1).tolist())
    return ExpressionTarget(kind, name, float(strength), units, label, weights, origin)

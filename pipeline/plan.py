"""The expression plan: which edits a source gets, how many variants of each, from which seeds and scales.

A plan is prefix-stable: the first n targets are the same however many are asked for, and each target draws
its strength from its own name, so that a narrower ``--expressions`` finds the very same targets again. The
numbers that are drawn:

* discrete: strength 0.70 .. 1.00 in steps of 0.05 (strong enough for the target's label to be true);
* continuous: alpha 0.10 .. 0.90 in steps of 0.05, without 0.50 (that row would have no label);
* single: strength 0.33, 0.66 or 1, as in the thesis' tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from singanimation.pipeline.expressions import (
    AU_INDEX,
    AU_NAMES,
    EMOTION_INDEX,
    EMOTIONS,
    NOT_EXPRESSIVE,
    PROTOTYPES,
    nearest_prototype,
)
from singanimation.pipeline.identity import derive_seed
from singanimation.pipeline.records import ExpressionTarget
from singanimation.pipeline.settings import Settings

T = TypeVar("T")

ATTEMPTS_PER_ACCEPTED = 3
"""At most this many times the wanted variants are attempted."""

LABEL_STRENGTH = 0.5
"""From this strength up a discrete edit carries its target's label."""

DISCRETE_STRENGTHS: tuple[float, ...] = tuple(round(0.70 + 0.05 * step, 2) for step in range(7))
CONTINUOUS_ALPHAS: tuple[float, ...] = tuple(
    round(0.10 + 0.05 * step, 2) for step in range(17) if step != 8
)
SINGLE_STRENGTHS: tuple[float, ...] = (0.33, 0.66, 1.0)

_EXPRESSIVE = np.array([name not in NOT_EXPRESSIVE for name in AU_NAMES])


@dataclass(frozen=True)
class SourceFace:
    """What the plan knows of a source: its label (canonical or None), soft label, and action units (17,)."""

    label: str | None
    action_units: np.ndarray
    label_weights: tuple[float, ...] | None = None


def discrete_target(face: SourceFace, emotion: str, strength: float) -> ExpressionTarget:
    """Aim at ``y + s (e - y)`` with e the emotion's prototype, for all AUs but the blink."""
    y = np.asarray(face.action_units, np.float32)
    aim = np.where(_EXPRESSIVE, y + strength * (PROTOTYPES[emotion] - y), y)
    if strength >= LABEL_STRENGTH:
        return _target("discrete", emotion, strength, aim, emotion, None, "target")
    return _target("discrete", emotion, strength, aim, face.label, face.label_weights, _origin(face.label))


def continuous_target(face: SourceFace, emotion: str, alpha: float) -> ExpressionTarget:
    """Aim at ``alpha y_g + (1 - alpha) y_r`` over all AUs; soft weights ``1 - alpha, alpha``.

    The hard label is the nearer end's, none at exactly 0.5. Without a source label there are no weights,
    and a label only beyond the middle.
    """
    y = np.asarray(face.action_units, np.float32)
    aim = alpha * PROTOTYPES[emotion] + (1 - alpha) * y
    label = None if alpha == LABEL_STRENGTH else emotion if alpha > LABEL_STRENGTH else face.label
    weights = None
    if face.label is not None:
        start = np.asarray(face.label_weights or one_hot(face.label))
        weights = tuple(float(value) for value in alpha * np.asarray(one_hot(emotion)) + (1 - alpha) * start)
    origin = "interpolated" if label is not None or weights is not None else None
    return _target("continuous", f"{face.label or 'source'}>{emotion}", alpha, aim, label, weights, origin)


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


def plan_edits(
    label: str | None,
    au_source: Sequence[float] | np.ndarray,
    settings: Settings,
    seed: int,
    label_weights: tuple[float, ...] | None = None,
) -> tuple[ExpressionTarget, ...]:
    """Return a source's expression targets in their order: discrete, then continuous and single in turn.

    ``label`` is the source's canonical emotion or None, ``au_source`` its (17,) action units in 0..1,
    ``seed`` the plan's own seed (``plan_seed``). At most ``min(settings.edits, settings.per_image)`` targets,
    fewer when ``settings.expressions`` does not hold that many. A word of ``settings.expressions`` adds: a
    kind all its edits, an emotion its discrete edit, an AU its single edits.
    """
    face = SourceFace(label, np.asarray(au_source, np.float32), label_weights)
    targets: dict[str, ExpressionTarget] = {}
    for target in _in_order(face, settings.expressions, seed):
        if len(targets) >= min(settings.edits, settings.per_image):
            break
        targets.setdefault(target.key, target)
    return tuple(targets.values())


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


def _in_order(face: SourceFace, expressions: Sequence[str], seed: int) -> Iterator[ExpressionTarget]:
    yield from _discrete(face, expressions, seed)
    others = [_continuous(face, expressions, seed), _single(face, expressions, seed)]
    while others:
        stream = others.pop(0)
        target = next(stream, None)
        if target is not None:
            yield target
            others.append(stream)


def _discrete(face: SourceFace, expressions: Sequence[str], seed: int) -> Iterator[ExpressionTarget]:
    wanted = EMOTIONS if "discrete" in expressions else [e for e in EMOTIONS if e in expressions]
    for emotion in _shuffled(EMOTIONS, seed, "discrete"):
        if emotion in wanted and emotion != face.label:
            yield discrete_target(face, emotion, _drawn(DISCRETE_STRENGTHS, seed, f"discrete:{emotion}"))


def _continuous(face: SourceFace, expressions: Sequence[str], seed: int) -> Iterator[ExpressionTarget]:
    if "continuous" not in expressions:
        return
    alphas: dict[str, list[float]] = {}  # shuffled when needed: a plan of eight edits needs one of them
    order = _shuffled([e for e in EMOTIONS if e != face.label], seed, "continuous")
    for turn in range(len(CONTINUOUS_ALPHAS)):
        for emotion in order:
            if turn == 0:
                alphas[emotion] = _shuffled(CONTINUOUS_ALPHAS, seed, f"continuous:{emotion}")
            yield continuous_target(face, emotion, alphas[emotion][turn])


def _single(face: SourceFace, expressions: Sequence[str], seed: int) -> Iterator[ExpressionTarget]:
    wanted = AU_NAMES if "single" in expressions else [name for name in AU_NAMES if name in expressions]
    strengths: dict[str, list[float]] = {}
    order = [unit for unit in _shuffled(AU_NAMES, seed, "single") if unit in wanted]
    for turn in range(len(SINGLE_STRENGTHS)):
        for unit in order:
            if turn == 0:
                strengths[unit] = _shuffled(SINGLE_STRENGTHS, seed, f"single:{unit}")
            yield single_target(face, unit, strengths[unit][turn])


def _shuffled(values: Sequence[T], seed: int, name: str) -> list[T]:
    order = np.random.Generator(np.random.PCG64(derive_seed(seed, name, "order"))).permutation(len(values))
    return [values[index] for index in order]


def _drawn(values: Sequence[T], seed: int, name: str) -> T:
    return values[derive_seed(seed, name, "strength") % len(values)]


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

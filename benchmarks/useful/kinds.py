"""What synthetic pictures aim at: from a real face to the edits that a kind makes of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.choices import CONTINUOUS_ALPHAS
from singanimation.pipeline.expressions import AU_INDEX, EMOTION_INDEX, EMOTIONS, NOT_EXPRESSIVE, PROTOTYPES
from singanimation.pipeline.forms import FORMS, PLAN, DrawnForm, Form, FormMix, choose_form, draw_form, plain_form
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target, one_hot
from singanimation.pipeline.records import ExpressionTarget
from useful.pictures import Faces

_KEPT = [AU_INDEX[name] for name in NOT_EXPRESSIVE]
_EVEN = np.zeros(len(AU_INDEX), np.float32)


def _first_has(share: float, forms: Sequence[Form]) -> dict[str, float]:
    """Return shares of an emotion's forms of which the first has ``share``, the others the rest as they had it."""
    rest = sum(form.share for form in forms[1:]) or 1.0
    return {form.name: share if place == 0 else (1 - share) * form.share / rest for place, form in enumerate(forms)}


class Aim(NamedTuple):
    """What one edit goes to: action units (17,), how they lean to a side (17,), soft label (7,), the class to draw."""

    units: np.ndarray
    sides: np.ndarray
    weights: tuple[float, ...]
    emotion: str


Kind = Callable[[Faces, int, Sequence[int], np.random.Generator], list[Aim]]
"""(faces, the source's index, the indices of all real pictures of this training, random numbers) -> its edits."""

Draw = Callable[[str, np.random.Generator], DrawnForm]
"""How an emotion is shown by one edit."""


def table_form(emotion: str, _random: np.random.Generator) -> DrawnForm:
    """Return the one form of Du's table: every share of subjects as a weight."""
    return DrawnForm(Form(emotion, "table", 1.0, {}), PROTOTYPES[emotion], _EVEN)


def first_form(emotion: str, _random: np.random.Generator) -> DrawnForm:
    """Return the first form of ``pipeline.forms``, as its table has it."""
    return plain_form(FORMS[emotion][0])


def mixture(mix: FormMix = PLAN) -> Draw:
    """Return what draws forms, their amounts and sides as a plan does."""
    return lambda emotion, random: draw_form(
        choose_form(emotion, int(random.integers(2**32)), mix), int(random.integers(2**32)), mix
    )


def discrete(draw: Draw, strengths: Sequence[float] = PLAN.strengths) -> Kind:
    """One edit to each other emotion."""

    def plan(faces: Faces, index: int, _others: Sequence[int], random: np.random.Generator) -> list[Aim]:
        face = _face(faces, index)
        return [
            _aim(discrete_target(face, emotion, float(random.choice(strengths)), draw(emotion, random)), emotion)
            for emotion in _other_emotions(face)
        ]

    return plan


def continuous(draw: Draw) -> Kind:
    """One edit on the way to each other emotion, with the soft label of both ends."""

    def plan(faces: Faces, index: int, _others: Sequence[int], random: np.random.Generator) -> list[Aim]:
        face, aims = _face(faces, index), []
        for emotion in _other_emotions(face):
            target = continuous_target(face, emotion, float(random.choice(CONTINUOUS_ALPHAS)), draw(emotion, random))
            aims.append(_aim(target, target.label or emotion))
        return aims

    return plan


def donors(faces: Faces, index: int, others: Sequence[int], random: np.random.Generator) -> list[Aim]:
    """One edit to the action units of another real picture of each other emotion; the eyes stay as open as they are."""
    aims = []
    for emotion in _other_emotions(_face(faces, index)):
        candidates = [other for other in others if faces.labels[other] == EMOTION_INDEX[emotion]]
        if candidates:
            units = faces.units[random.choice(candidates)].copy()
            units[_KEPT] = faces.units[index][_KEPT]
            aims.append(Aim(units, _EVEN, one_hot(emotion), emotion))
    return aims


_ONE_SIZE = FormMix(jitter=0.0, sides=0.0)
_WEAKER = (0.6, 0.7, 0.8)
_MOSTLY_FIRST = FormMix(shares={name: _first_has(0.8, forms) for name, forms in FORMS.items()})

KINDS: dict[str, Kind] = {
    "table": discrete(table_form),
    "table at 1": discrete(table_form, (1.0,)),
    "first": discrete(first_form),
    "forms": discrete(mixture()),
    "forms, plain": discrete(mixture(_ONE_SIZE)),
    "forms at 1": discrete(mixture(), (1.0,)),
    "forms, weaker": discrete(mixture(), _WEAKER),
    "forms, mostly the first": discrete(mixture(_MOSTLY_FIRST)),
    "continuous": continuous(table_form),
    "donors": donors,
}


def _face(faces: Faces, index: int) -> SourceFace:
    return SourceFace(EMOTIONS[faces.labels[index]], faces.units[index])


def _other_emotions(face: SourceFace) -> list[str]:
    return [emotion for emotion in EMOTIONS if emotion != face.label]


def _aim(target: ExpressionTarget, emotion: str) -> Aim:
    units, sides = np.array(target.action_units, np.float32), np.array(target.sides or _EVEN, np.float32)
    return Aim(units, sides, target.label_weights or one_hot(emotion), emotion)

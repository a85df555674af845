"""What an edit is asked for in Python: an emotion, a compound, an action unit, several, or a whole vector."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import (
    AU_INDEX,
    AU_NAMES,
    EMOTIONS,
    canonical_au,
    canonical_compound,
    canonical_emotion,
)
from singanimation.pipeline.forms import DrawnForm, choose_form, draw_form, first_form, form_named, plain_form
from singanimation.pipeline.plan import SourceFace, discrete_target, single_target

Aim = str | Mapping[str, float] | np.ndarray
"""``"fear"``, ``"sadly-angry"``, ``"AU12"``, ``{"AU12": 0.8, "AU25": 0}``, or a vector (17,) in OpenFace's order."""


class Target(NamedTuple):
    """Action units (17,) to edit to, and how much more of each change one side has (17,), -1..1."""

    units: np.ndarray
    sides: np.ndarray


def target_of(aim: Aim, strength: float, face: np.ndarray, form: str = "first", seed: int | None = None) -> Target:
    """Return what an edit of a face with the action units ``face`` (17,) aims at, at ``strength`` 0..1.

    ``form`` is how an emotion is shown: ``first``, a form's name, or ``any`` (drawn by ``seed`` as a run draws it);
    with a seed its amounts and sides vary too. Raises UsageError naming what is wrong.
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is from 0 to 1, not {strength!r}.")
    if strength == 0:
        return _even(face)
    if not isinstance(aim, str):
        return _even(face + strength * (_goal(aim, face) - face))
    emotion, unit = canonical_emotion(aim) or canonical_compound(aim), canonical_au(aim)
    source = SourceFace(None, face)
    if emotion is not None:
        planned = discrete_target(source, emotion, strength, drawn_form(emotion, form, seed))
    elif unit is not None:
        planned = single_target(source, unit, strength)
    else:
        raise UsageError(f"{aim!r} is no expression; use an emotion ({', '.join(EMOTIONS)}), a compound or an AU.")
    sides = np.zeros(len(face)) if planned.sides is None else planned.sides
    return Target(np.array(planned.action_units, np.float32), np.array(sides, np.float32))


def drawn_form(emotion: str, form: str, seed: int | None) -> DrawnForm:
    """Return a form of an emotion or compound, see ``target_of``. Raises UsageError."""
    if form == "any" and seed is None:
        raise UsageError('form="any" is drawn by a seed: give one, or name a form.')
    if form == "any":
        return draw_form(choose_form(emotion, seed or 0), seed or 0)
    named = first_form(emotion).form if form == "first" else form_named(emotion, form)
    return plain_form(named) if seed is None else draw_form(named, seed)


def _goal(aim: Mapping[str, float] | np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return where the units go at strength 1: those of a mapping, the others staying, or the vector itself."""
    if isinstance(aim, Mapping):
        goal = np.array(face, np.float32)
        for name, value in aim.items():
            unit = canonical_au(name)
            if unit is None:
                raise UsageError(f"{name!r} is no action unit; use {', '.join(AU_NAMES)}.")
            goal[AU_INDEX[unit]] = value
    else:
        goal = np.asarray(aim, np.float32)
    if goal.shape != (len(AU_NAMES),) or not ((goal >= 0) & (goal <= 1)).all():
        raise UsageError(f"Action units are {len(AU_NAMES)} numbers from 0 to 1, not {' '.join(str(aim).split())}.")
    return goal


def _even(units: np.ndarray) -> Target:
    return Target(np.asarray(units, np.float32), np.zeros(len(AU_NAMES), np.float32))

"""What `augment edit` was asked for: which edits, how strong, in which forms."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.forms import FORMS, Form, draw_form, plain_form
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target, single_target
from singanimation.pipeline.records import ExpressionTarget

AU_STRENGTHS = (0.0, 0.33, 0.66, 1.0)


class Aim(NamedTuple):
    """One edit: its name, strength, AU vector (17,), and how much more of each change one side has (17,), or None."""

    name: str
    strength: float
    action_units: np.ndarray
    sides: np.ndarray | None = None


class Request:
    """What was asked for: names of edits, each with strengths; ``targets`` makes them AU vectors of one face.

    ``nothing``: no expression has to be named, since what is worn is asked for.
    """

    def __init__(
        self,
        units: Sequence[str],
        fixed: dict[str, float],
        emotions: Sequence[str],
        to: str | None,
        steps: int,
        strengths: Sequence[float] | None,
        forms: Sequence[str] = (),
        seed: int | None = None,
        origin: str | None = None,
        nothing: bool = False,
    ) -> None:
        self._units, self._fixed, self._emotions, self._to = units, fixed, emotions, to
        self._origin = origin
        self._forms, self._seed = _forms_of(emotions, forms), seed
        self._path = [round(float(alpha), 2) for alpha in np.linspace(0, 1, steps)]
        self._strengths = strengths
        if not (units or fixed or emotions or to or nothing):
            raise UsageError(
                "Say which edits: --aus AU12,AU4|all, --set AU12=0.5, --emotions fear|all, --to fear, "
                "--attribute spectacles --attributes-from PICTURE, or --without beard."
            )
        if to and to in emotions:
            raise UsageError(f"--emotions and --to both name {to}, and their pictures would have one name; ask twice.")
        if strengths and not (units or fixed or emotions):
            raise UsageError("--strengths are those of --aus, --set and --emotions; --to goes by --steps.")
        if origin and not to:
            raise UsageError(f"--from {origin} begins a path; say where it goes with --to.")
        if origin and origin == to:
            raise UsageError(f"--from and --to are both {to}.")

    def check(self, labels: Sequence[str] | None) -> None:
        """Raise UsageError for what an expander that goes by ``labels`` cannot draw; None draws everything."""
        if labels is None:
            return
        can = f"This expander draws {', '.join(labels)} by label"
        if self._units or self._fixed or self._to:
            raise UsageError(f"{can}: no action units (--aus, --set) and no path (--to); use --emotions.")
        beyond = [emotion for emotion in self._emotions if emotion not in labels]
        if beyond:
            raise UsageError(f"{can}; --emotions {','.join(beyond)} it has not learnt.")
        if any(0 < strength < 1 for strength in self._strengths or ()):
            raise UsageError(f"{can}, at full strength alone; --strengths are 0 or 1.")

    def said(self) -> str | None:
        """Return which forms the emotions are shown in, where there is a choice."""
        shown = [f"{form.emotion} {form.name}" for forms in self._forms.values() for form in forms if form.units]
        return f"forms: {', '.join(shown)} (--forms names others, or all)" if shown else None

    def targets(self, action_units: np.ndarray) -> list[Aim]:
        """Return each edit's aim, in the order asked for."""
        face = SourceFace(None, action_units)
        several, one = self._strengths or AU_STRENGTHS, self._strengths or (1.0,)
        aims = [_aim(unit, single_target(face, unit, s)) for unit in self._units for s in several]
        if self._fixed:
            name = ",".join(f"{unit}={value:g}" for unit, value in self._fixed.items())
            aims += [Aim(name, s, self._set(action_units, s)) for s in one]
        for emotion, forms in self._forms.items():
            for form in forms:
                name = emotion if len(forms) == 1 else f"{emotion}-{form.name}"
                drawn = plain_form(form) if self._seed is None else draw_form(form, self._seed)
                aims += [_aim(name, discrete_target(face, emotion, s, drawn)) for s in one]
        path = self._path_targets(face) if self._to else []
        return [*(aim if aim.strength else aim._replace(action_units=action_units) for aim in aims), *path]

    def _path_targets(self, face: SourceFace) -> list[Aim]:
        """Return the aims of the path: from the source itself, or from an emotion that it is first given."""
        name = f"{self._origin}-to-{self._to}" if self._origin else str(self._to)
        own = np.array(face.action_units, np.float32)
        first = discrete_target(face, self._origin, 1.0).action_units if self._origin else own
        begin = SourceFace(None, np.array(first, np.float32))
        aims = [_aim(name, continuous_target(begin, str(self._to), s)) for s in self._path]
        return [aim if aim.strength else aim._replace(action_units=begin.action_units) for aim in aims]

    def _set(self, action_units: np.ndarray, strength: float) -> np.ndarray:
        vector = np.array(action_units, np.float32)
        for unit, value in self._fixed.items():
            vector[AU_INDEX[unit]] += strength * (value - vector[AU_INDEX[unit]])
        return vector


def _aim(name: str, target: ExpressionTarget) -> Aim:
    sides = None if target.sides is None else np.array(target.sides, np.float32)
    return Aim(name, target.strength, np.array(target.action_units, np.float32), sides)


def _forms_of(emotions: Sequence[str], names: Sequence[str]) -> dict[str, tuple[Form, ...]]:
    """Return each emotion's forms: its first one, all, or those of ``names`` that it has. Raises UsageError."""
    if list(names) in (["first"], []):
        return {emotion: FORMS[emotion][:1] for emotion in emotions}
    if list(names) == ["all"]:
        return {emotion: FORMS[emotion] for emotion in emotions}
    if not emotions:
        raise UsageError("--forms are those of --emotions; name some, such as --emotions anger.")
    known = {form.name for emotion in emotions for form in FORMS[emotion]}
    for name in names:
        if name not in known:
            raise UsageError(
                f"--forms: {name!r} is no form of {', '.join(emotions)}; use first, all, {_listed(known)}."
            )
    chosen = {e: tuple(form for form in FORMS[e] if form.name in names) for e in emotions}
    for emotion, forms in chosen.items():
        if not forms:
            raise UsageError(
                f"--forms: {emotion} has none of {', '.join(names)}; it has {_listed(f.name for f in FORMS[emotion])}."
            )
    return chosen


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

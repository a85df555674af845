"""Synthetic pictures of the real ones: which edits a kind makes of a face, and the cache that keeps them."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.choices import CONTINUOUS_ALPHAS
from singanimation.pipeline.expressions import AU_INDEX, EMOTION_INDEX, EMOTIONS, NOT_EXPRESSIVE, PROTOTYPES
from singanimation.pipeline.forms import FORMS, PLAN, DrawnForm, Form, FormMix, choose_form, draw_form, plain_form
from singanimation.pipeline.plan import SourceFace, continuous_target, discrete_target, one_hot
from singanimation.pipeline.records import ExpressionTarget
from singanimation.stages.expansion.expander import Expander
from singanimation.stages.singan import make_regenerator
from useful.pictures import Faces, small_grey

_KEPT = [AU_INDEX[name] for name in NOT_EXPRESSIVE]
_STAGE = Path(__file__).resolve().parents[2] / "stages" / "expansion"
_EVEN = np.zeros(len(AU_INDEX), np.float32)


VARIANTS_OF, VARIANT_ENGINE, DRAWS = "variants of ", "patch", 4
"""The kind of a pool of variants begins so; its engine, and how many are drawn of each edit."""


class Pool(NamedTuple):
    """M synthetic pictures: uint8 (M, 64, 64), soft labels float32 (M, 7), the class each is drawn as (M,)."""

    pictures: np.ndarray
    weights: np.ndarray
    classes: np.ndarray


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

KINDS: dict[str, Kind] = {
    "table": discrete(table_form),
    "table at 1": discrete(table_form, (1.0,)),
    "first": discrete(first_form),
    "forms": discrete(mixture()),
    "forms, plain": discrete(mixture(_ONE_SIZE)),
    "continuous": continuous(table_form),
    "donors": donors,
}


@dataclass(frozen=True)
class Maker:
    """Makes pools of edits of ``faces``; ``cache`` keeps them by the digest of all that they hang on.

    A face has at most ``edits`` of each kind.
    """

    faces: Faces
    expander: Expander
    cache: Path
    edits: int = 6

    def pool(self, kind: str, chosen: Sequence[int], seed: int) -> Pool:
        """Return the edits of this ``kind`` of the ``chosen`` real pictures, or the ``variants of`` those edits."""
        if kind.startswith(VARIANTS_OF):
            return self._variants(self.pool(kind.removeprefix(VARIANTS_OF), chosen, seed))
        aims, pictures = [], []
        for index in chosen:
            name = int.from_bytes(hashlib.sha256(kind.encode()).digest()[:4])
            random = np.random.default_rng([int(index), name, seed if kind == "donors" else 0])
            planned = KINDS[kind](self.faces, index, chosen, random)
            planned = [planned[place] for place in random.permutation(len(planned))[: self.edits]]
            pictures += self._edited(index, planned)
            aims += planned
        weights = np.array([aim.weights for aim in aims], np.float32)
        classes = np.array([EMOTION_INDEX[aim.emotion] for aim in aims])
        return Pool(np.stack(pictures), weights, classes)

    def _variants(self, edits: Pool) -> Pool:
        """Return ``DRAWS`` regenerations of every edit, from N-1, at the size that the network sees."""
        pictures = []
        for edit in edits.pictures:
            name = hashlib.sha256(f"{VARIANT_ENGINE} {DRAWS}".encode() + edit.tobytes()).hexdigest()
            file = self.cache / "variants" / name[:2] / f"{name[2:32]}.npy"
            if not file.exists():
                fitted = make_regenerator(VARIANT_ENGINE).fit(np.repeat(edit[None, :, :, None], 3, 3), [0], ["N-1"])
                _save(file, fitted.draw(0, "N-1", range(DRAWS))[..., 0])
            pictures.append(np.load(file))
        return Pool(np.concatenate(pictures), np.repeat(edits.weights, DRAWS, 0), np.repeat(edits.classes, DRAWS))

    def _edited(self, index: int, aims: Sequence[Aim]) -> list[np.ndarray]:
        """Return a face's edits, uint8 (64, 64) each; those that the cache lacks are made together."""
        crop, units = self.faces.crops[index], self.faces.units[index]
        files = [self._file(crop, units, aim) for aim in aims]
        lacking = [place for place, file in enumerate(files) if not file.exists()]
        if lacking:
            targets, sides = (np.array([part[place] for place in lacking], np.float32) for part in _columns(aims))
            edits = small_grey(self.expander.edit(crop, units, targets, sides).pictures)
            for place, edit in zip(lacking, edits, strict=True):
                _save(files[place], edit)
        return [np.load(file) for file in files]

    def _file(self, crop: np.ndarray, units: np.ndarray, aim: Aim) -> Path:
        whole = hashlib.sha256(_code() + self.expander.digest.encode())
        for part in (crop, units, aim.units, aim.sides):
            whole.update(part.tobytes())
        return self.cache / "edits" / whole.hexdigest()[:2] / f"{whole.hexdigest()[2:32]}.npy"


def judged(pool: Pool, seen: np.ndarray) -> Pool:
    """Return the half of each class whose emotion a judge sees most; ``seen`` are its probabilities (M, 7)."""
    own = seen[np.arange(len(seen)), pool.classes]
    kept = np.zeros(len(own), bool)
    for label in np.unique(pool.classes):
        members = np.flatnonzero(pool.classes == label)
        kept[members[np.argsort(-own[members], kind="stable")[: (len(members) + 1) // 2]]] = True
    return Pool(*(part[kept] for part in pool))


def _columns(aims: Sequence[Aim]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [aim.units for aim in aims], [aim.sides for aim in aims]


def _save(file: Path, pictures: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.save(stream, pictures)
    partial.replace(file)


@functools.cache
def _code() -> bytes:
    """Return a digest of the generator's code: an edit hangs on it as on the weights."""
    code = hashlib.sha256()
    for file in sorted(_STAGE.rglob("*.py")):
        if "training" not in file.parts and "evaluation" not in file.parts:
            code.update(file.read_bytes())
    return code.digest()


def _face(faces: Faces, index: int) -> SourceFace:
    return SourceFace(EMOTIONS[faces.labels[index]], faces.units[index])


def _other_emotions(face: SourceFace) -> list[str]:
    return [emotion for emotion in EMOTIONS if emotion != face.label]


def _aim(target: ExpressionTarget, emotion: str) -> Aim:
    units, sides = np.array(target.action_units, np.float32), np.array(target.sides or _EVEN, np.float32)
    return Aim(units, sides, target.label_weights or one_hot(emotion), emotion)

"""Forms: the ways in which people show an emotion, and how one is drawn for an edit.

Where each comes from. *Du*: Du, Tao & Martinez, "Compound facial expressions of emotion", PNAS 2014, Table 1, whose
shares of subjects are used as weights. *EMFACS*: the variants of Ekman & Friesen's emotion dictionary (anger with
lips pressed or with a square, open mouth; disgust by the nose or by the raised lip; fear with lips stretched, parted
or hardly; grief's oblique brows with the pushed-up chin, with lips pressed, or crying; surprise by the brows or by
the eyes more than by the other), as handed down in secondary sources. *Photographs*: action units that are usual in
labelled press photographs (AU25 in 72% of those of anger). The amounts are not the literature's: they are what judges
of pictures, and the eye, read best in trials on 61 people; the model's card says how they are read on others.

Everything that the mixture of a plan hangs on is in ``FORMS`` and ``PLAN``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from singanimation.pipeline.digests import digest, encoded, seed_of
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import AU_NAMES, EMOTIONS, NOT_EXPRESSIVE, au_vector


class Form(NamedTuple):
    """One way to show an emotion: ``units`` are its action units at strength 1, 0..1.

    ``share`` is its weight among the emotion's forms in a plan's draws; the first form of an emotion is what it is
    shown by where nothing is drawn.
    """

    emotion: str
    name: str
    share: float
    units: Mapping[str, float]


_TABLE = (
    Form("surprise", "open", 0.35, {"AU01": 0.65, "AU02": 0.65, "AU05": 0.6, "AU25": 0.6, "AU26": 0.8}),
    Form("surprise", "dropped", 0.3, {"AU01": 0.7, "AU02": 0.7, "AU05": 0.7, "AU25": 0.35, "AU26": 1.0}),
    Form("surprise", "brows", 0.15, {"AU01": 0.9, "AU02": 1.0, "AU05": 0.3, "AU25": 0.4, "AU26": 0.9}),
    Form("surprise", "eyes", 0.2, {"AU01": 0.35, "AU02": 0.4, "AU05": 1.0, "AU25": 0.6, "AU26": 0.95}),
    Form(
        "fear",
        "parted",
        0.45,
        {"AU01": 0.95, "AU02": 0.5, "AU04": 0.8, "AU05": 1.0, "AU15": 0.15, "AU20": 0.35, "AU25": 0.25},
    ),
    Form(
        "fear",
        "stretched",
        0.45,
        {"AU01": 0.9, "AU02": 0.5, "AU04": 0.8, "AU05": 1.0, "AU15": 0.2, "AU20": 0.6, "AU25": 0.15},
    ),
    Form(
        "fear",
        "open",
        0.1,
        {"AU01": 1.0, "AU02": 0.6, "AU04": 0.8, "AU05": 1.0, "AU15": 0.15, "AU20": 0.3, "AU25": 0.55, "AU26": 0.25},
    ),
    Form(
        "disgust",
        "grimace",
        0.4,
        {"AU04": 0.4, "AU06": 1.0, "AU07": 1.0, "AU09": 1.0, "AU10": 0.6, "AU15": 0.3, "AU20": 0.25, "AU25": 0.25},
    ),
    Form("disgust", "nose", 0.2, {"AU04": 0.5, "AU06": 1.0, "AU07": 1.0, "AU09": 1.0, "AU10": 0.65}),
    Form(
        "disgust",
        "pushed",
        0.2,
        {
            "AU04": 0.4,
            "AU06": 1.0,
            "AU07": 1.0,
            "AU09": 1.0,
            "AU10": 0.5,
            "AU15": 0.3,
            "AU17": 0.3,
            "AU20": 0.3,
            "AU25": 0.15,
        },
    ),
    Form(
        "disgust",
        "lip",
        0.2,
        {"AU04": 0.3, "AU06": 0.9, "AU07": 0.8, "AU09": 0.6, "AU10": 0.5, "AU15": 0.4, "AU20": 0.35, "AU25": 0.25},
    ),
    Form("happiness", "open", 0.4, {"AU06": 0.8, "AU10": 0.3, "AU12": 1.0, "AU25": 0.9}),
    Form("happiness", "laughing", 0.2, {"AU06": 1.0, "AU07": 0.4, "AU12": 1.0, "AU25": 0.9, "AU26": 0.5}),
    Form("happiness", "closed", 0.15, {"AU06": 0.9, "AU12": 1.0}),
    Form("happiness", "brows", 0.25, {"AU01": 0.4, "AU02": 0.5, "AU06": 0.3, "AU12": 1.0, "AU25": 0.8}),
    Form("sadness", "pushed", 0.45, {"AU01": 0.8, "AU04": 0.8, "AU06": 0.4, "AU15": 0.4, "AU17": 0.9, "AU23": 0.4}),
    Form("sadness", "crying", 0.25, {"AU01": 0.8, "AU04": 0.8, "AU07": 0.5, "AU15": 0.45, "AU20": 0.4, "AU25": 0.5}),
    Form("sadness", "pressed", 0.2, {"AU01": 0.8, "AU04": 0.8, "AU17": 1.0, "AU23": 1.0}),
    Form("sadness", "mild", 0.1, {"AU01": 0.85, "AU02": 0.3, "AU04": 0.65, "AU15": 0.45, "AU17": 0.6}),
    Form("anger", "open", 0.45, {"AU04": 1.0, "AU07": 0.8, "AU09": 0.5, "AU10": 0.55, "AU25": 0.9, "AU26": 0.6}),
    Form(
        "anger",
        "teeth",
        0.35,
        {"AU04": 1.0, "AU07": 0.8, "AU09": 0.75, "AU10": 0.5, "AU20": 0.2, "AU25": 0.95, "AU26": 0.15},
    ),
    Form("anger", "closed", 0.2, {"AU04": 1.0, "AU07": 0.7, "AU09": 0.9, "AU15": 0.2, "AU17": 0.9, "AU23": 0.9}),
    Form("neutral", "rest", 1.0, {}),
)

# Du, Table 1, in its own notation: what more than 70% of the subjects used, then the others with their share
_COMPOUND_TABLE: Mapping[str, str] = {
    "happily-surprised": "1 2 12 25 [5 64, 26 67]",
    "happily-disgusted": "10 12 25 [4 32, 6 61, 9 59]",
    "sadly-fearful": "1 4 20 25 [2 46, 5 24, 6 34, 15 30]",
    "sadly-angry": "4 15 [6 26, 7 48, 11 20, 17 50]",
    "sadly-surprised": "1 4 25 26 [2 27, 6 31]",
    "sadly-disgusted": "4 10 [1 49, 6 61, 9 20, 11 35, 15 54, 17 47, 25 43]",
    "fearfully-angry": "4 20 25 [5 40, 7 39, 10 30, 11 33]",
    "fearfully-surprised": "1 2 5 20 25 [4 47, 10 35, 11 22, 26 51]",
    "angrily-surprised": "4 25 26 [5 35, 7 50, 10 34]",
    "angrily-disgusted": "4 10 17 [7 60, 9 57, 24 36]",
    "disgustedly-surprised": "1 2 5 10 [4 45, 9 37, 17 66, 24 33]",
}
_STANDS_IN: Mapping[str, str | None] = {"24": "23", "11": None}
"""AU24 (lip presser) is not among the 17: AU23 (lip tightener) stands for it. AU11 has no stand-in."""


def _read_table(text: str) -> dict[str, float]:
    """Return ``{"AU01": 1.0, "AU05": 0.64}`` of ``1 [5 64]``."""
    plain, _, shares = text.rstrip("]").partition("[")
    pairs = [(unit, 100.0) for unit in plain.split()]
    pairs += [(unit, float(share)) for unit, share in (each.split() for each in shares.split(",") if each)]
    named = [(_STANDS_IN.get(unit, unit), share / 100) for unit, share in pairs]
    return {f"AU{int(unit):02d}": share for unit, share in named if unit is not None}


FORMS: Mapping[str, tuple[Form, ...]] = MappingProxyType(
    {emotion: tuple(form for form in _TABLE if form.emotion == emotion) for emotion in EMOTIONS}
    | {name: (Form(name, "table", 1.0, _read_table(text)),) for name, text in _COMPOUND_TABLE.items()}
)
"""Emotion, or compound -> its forms, the first one first."""


@dataclass(frozen=True)
class FormMix:
    """How the forms of a plan vary. ``shares`` (emotion -> form -> weight) replace the table's where given.

    ``jitter`` is the standard deviation by which each named unit's amount is multiplied about 1, ``sides`` that of the
    left half's change over the right's (0.1: a tenth more on one side, a tenth less on the other), ``one_side`` the
    share of it that all units of a face have in common. ``strengths`` are those that a discrete edit may have.
    """

    jitter: float = 0.2
    sides: float = 0.16
    one_side: float = 0.5
    strengths: tuple[float, ...] = tuple(round(0.85 + 0.05 * step, 2) for step in range(4))
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def digest(self) -> str:
        """Return what tells this mixture, and the table of forms, from others: part of the rows' identities."""
        forms = [(f.emotion, f.name, f.share, sorted(f.units.items())) for each in FORMS.values() for f in each]
        shares = sorted((emotion, sorted(each.items())) for emotion, each in self.shares.items())
        return digest(self.jitter, self.sides, self.one_side, self.strengths, shares, forms, length=16)


PLAN = FormMix()
"""The mixture of the pipeline's plan."""

MOST_ASIDE = 0.5
"""One side never changes by more than this share more, or less, than the mean of both."""

_EVEN = {"AU17", "AU25", "AU26", "AU45"}
"""Units of the midline, and the blink: they have no sides."""

_SIDED = np.array([name not in _EVEN for name in AU_NAMES], np.float32)


class DrawnForm(NamedTuple):
    """A form as one edit shows it: ``units`` float32 (17,) at strength 1, ``sides`` float32 (17,) in -1..1.

    The half of the face at the picture's left changes by ``1 + sides`` of the change, the other by ``1 - sides``.
    """

    form: Form
    units: np.ndarray
    sides: np.ndarray


def first_form(emotion: str) -> DrawnForm:
    """Return the form that an emotion, or compound, is shown by where nothing is drawn: even, as the table has it."""
    return plain_form(FORMS[emotion][0])


def plain_form(form: Form) -> DrawnForm:
    """Return ``form`` as the table has it."""
    return DrawnForm(form, au_vector(form.units), np.zeros(len(AU_NAMES), np.float32))


def nearest_emotions(units: np.ndarray) -> np.ndarray:
    """Return for each of ``units`` (N, 17) the place in ``EMOTIONS`` of the emotion whose form is nearest, int64 (N,).

    Euclidean, the blink left out, over the forms of all seven emotions; ties go to RAF-DB's order. Every edit that the
    plan draws of an emotion is nearest to that emotion again.
    """
    forms = [(place, form) for place, emotion in enumerate(EMOTIONS) for form in FORMS[emotion]]
    expressive = np.array([name not in NOT_EXPRESSIVE for name in AU_NAMES])
    table = np.stack([au_vector(form.units) for _, form in forms])[:, expressive]
    apart = np.square(np.asarray(units, np.float32)[:, None, expressive] - table).sum(2)
    return np.array([place for place, _ in forms], np.int64)[apart.argmin(1)]


def form_named(emotion: str, name: str) -> Form:
    """Return an emotion's form by its name. Raises UsageError naming those that there are."""
    for form in FORMS[emotion]:
        if form.name == name:
            return form
    known = ", ".join(form.name for form in FORMS[emotion])
    raise UsageError(f"{emotion} has no form {name!r}; it has {known}.")


def choose_form(emotion: str, number: int, mix: FormMix = PLAN) -> Form:
    """Return the form that a random whole ``number`` >= 0 stands for: each as often as its share."""
    forms, given = FORMS[emotion], mix.shares.get(emotion, {})
    shares = np.cumsum([given.get(form.name, 0.0 if given else form.share) for form in forms])
    if not shares[-1] > 0:
        raise UsageError(f"The shares of {emotion}'s forms ({', '.join(f.name for f in forms)}) sum to nothing.")
    place = (number % 2**32) / 2**32 * shares[-1]
    return forms[int(np.searchsorted(shares, place, side="right"))]


def draw_form(form: Form, seed: int, mix: FormMix = PLAN) -> DrawnForm:
    """Return ``form`` as one edit shows it: amounts and sides drawn by ``seed``."""
    random = np.random.Generator(np.random.PCG64(seed_of(encoded("form", form.emotion, form.name, seed))))
    amounts, own, common = random.standard_normal(len(AU_NAMES)), random.standard_normal(len(AU_NAMES)), random.normal()
    units = au_vector(form.units) * (1 + mix.jitter * amounts)
    aside = mix.sides * (np.sqrt(mix.one_side) * common + np.sqrt(1 - mix.one_side) * own)
    sides = np.clip(aside, -MOST_ASIDE, MOST_ASIDE) * _SIDED
    return DrawnForm(form, units.clip(0, 1).astype(np.float32), sides.astype(np.float32))

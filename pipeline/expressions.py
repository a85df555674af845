"""Action units, emotions, and the prototypes that tie them together.

Everything here is data of the field: the 17 action units that OpenFace estimates (GANimation's condition
vector), RAF-DB's seven emotions in its own order, and how often subjects use each action unit to show an
emotion (Du, Tao & Martinez, "Compound facial expressions of emotion", PNAS 2014, Table 1).
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from singanimation.pipeline.errors import UsageError

AU_NAMES: tuple[str, ...] = (
    "AU01",
    "AU02",
    "AU04",
    "AU05",
    "AU06",
    "AU07",
    "AU09",
    "AU10",
    "AU12",
    "AU14",
    "AU15",
    "AU17",
    "AU20",
    "AU23",
    "AU25",
    "AU26",
    "AU45",
)
"""OpenFace's order: the order of every AU vector in this project."""

AU_INDEX: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(AU_NAMES)})

EMOTIONS: tuple[str, ...] = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""RAF-DB's order; the index is the manifest's ``label``."""

COMPOUNDS: tuple[str, ...] = (
    "happily-surprised",
    "happily-disgusted",
    "sadly-fearful",
    "sadly-angry",
    "sadly-surprised",
    "sadly-disgusted",
    "fearfully-angry",
    "fearfully-surprised",
    "angrily-surprised",
    "angrily-disgusted",
    "disgustedly-surprised",
)
"""The compound emotions of Du et al. that RAF-DB's compound subset has."""

KINDS: tuple[str, ...] = ("single", "continuous", "discrete", "donor", "appearance")
"""The kinds of edits: one action unit, a path from the source's expression, a form of an emotion, another picture's;
and what leaves the expression alone: spectacles or a beard of another picture."""

ATTRIBUTES: tuple[str, ...] = ("spectacles", "beard", "hair")
"""What an edit of appearance can change: spectacles, a beard (stubble and moustaches count), hair on the forehead."""

USUAL_ATTRIBUTES = ("spectacles", "beard")
"""Those that the word ``appearance`` stands for, and that are trained unless asked otherwise."""

EMOTION_INDEX: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(EMOTIONS)})

# Share of subjects who use an AU for the emotion; Table 1 prints "more than 70%" without a figure for the
# prototypical ones, which count as 1 here. AU24 (lip presser, prototypical for anger) is not among
# OpenFace's 17: AU23 (lip tightener) stands in for it. AU11 has no stand-in and is left out.
_FREQUENCIES: dict[str, dict[str, float]] = {
    "surprise": {"AU01": 1, "AU02": 1, "AU25": 1, "AU26": 1, "AU05": 0.66},
    "fear": {"AU01": 1, "AU04": 1, "AU20": 1, "AU25": 1, "AU02": 0.57, "AU05": 0.63, "AU26": 0.33},
    "disgust": {"AU09": 1, "AU10": 1, "AU17": 1, "AU04": 0.31, "AU23": 0.26},
    "happiness": {"AU12": 1, "AU25": 1, "AU06": 0.51},
    "sadness": {"AU04": 1, "AU15": 1, "AU01": 0.60, "AU06": 0.50, "AU17": 0.67},
    "anger": {"AU04": 1, "AU07": 1, "AU23": 1, "AU10": 0.26, "AU17": 0.52},
    "neutral": {},
}

# AU45 is a blink, no part of any prototype: a discrete edit leaves the eyes as open as it finds them.
NOT_EXPRESSIVE: frozenset[str] = frozenset({"AU45"})


def au_vector(units: Mapping[str, float]) -> np.ndarray:
    """Return a float32 (17,) vector in OpenFace order from ``{"AU12": 0.8, ...}``; others are 0."""
    vector = np.zeros(len(AU_NAMES), np.float32)
    for name, value in units.items():
        vector[AU_INDEX[name]] = value
    return vector


PROTOTYPES: Mapping[str, np.ndarray] = MappingProxyType(
    {emotion: au_vector(units) for emotion, units in _FREQUENCIES.items()}
)
"""Emotion -> float32 (17,) in 0..1, the frequencies of Table 1 used as weights."""

_EXPRESSIVE = [index for index, name in enumerate(AU_NAMES) if name not in NOT_EXPRESSIVE]
_PROTOTYPE_TABLE = np.stack([PROTOTYPES[name] for name in EMOTIONS])[:, _EXPRESSIVE]

_EMOTION_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "surprised": "surprise",
        "surprize": "surprise",
        "suprise": "surprise",
        "suprised": "surprise",
        "astonished": "surprise",
        "fearful": "fear",
        "afraid": "fear",
        "scared": "fear",
        "fearfull": "fear",
        "disgusted": "disgust",
        "disgusting": "disgust",
        "happy": "happiness",
        "happyness": "happiness",
        "smile": "happiness",
        "smiling": "happiness",
        "joy": "happiness",
        "sad": "sadness",
        "angry": "anger",
        "neutrality": "neutral",
        "no expression": "neutral",
    }
)


def canonical_emotion(text: str) -> str | None:
    """Return the canonical name of an emotion written in a usual way (``Happy``, ``angry``), else None."""
    name = text.strip().lower()
    name = _EMOTION_ALIASES.get(name, name)
    return name if name in EMOTION_INDEX else None


def canonical_compound(text: str) -> str | None:
    """Return ``happily-surprised`` for that compound emotion written in a usual way (``Happily surprised``)."""
    name = re.sub(r"[\s_-]+", "-", text.strip().lower())
    return name if name in COMPOUNDS else None


def canonical_au(text: str) -> str | None:
    """Return ``AU04`` for ``AU4``, ``au04`` or ``AU04_r``; None for what is no AU of the 17."""
    name = text.strip().upper().removesuffix("_R").removesuffix("_C")
    digits = name.removeprefix("AU")
    if not name.startswith("AU") or not digits.isdigit():
        return None
    name = f"AU{int(digits):02d}"
    return name if name in AU_INDEX else None


def nearest_prototype(action_units: Sequence[float] | np.ndarray) -> str:
    """Return the emotion whose prototype is nearest (Euclidean, AU45 left out); ties go to RAF-DB's order."""
    distances = np.square(np.asarray(action_units, np.float32)[_EXPRESSIVE] - _PROTOTYPE_TABLE).sum(1)
    return EMOTIONS[int(distances.argmin())]


def attributes_asked(expressions: Sequence[str]) -> tuple[str, ...]:
    """Return the attributes that edits of appearance change: those named, and the usual ones for ``appearance``."""
    usual = USUAL_ATTRIBUTES if "appearance" in expressions else ()
    return tuple(name for name in ATTRIBUTES if name in expressions or name in usual)


def parse_expressions(text: str) -> tuple[str, ...]:
    """Read the ``--expressions`` option: kinds (``KINDS``), emotions, compounds and AUs.

    Returns canonical names in the order given, without repeats. Raises UsageError naming the word.
    """
    names: list[str] = []
    for word in (part.strip() for part in text.split(",")):
        if not word:
            continue
        if word.lower() in (*KINDS, *ATTRIBUTES):
            name: str | None = word.lower()
        elif word.lower() == "all":
            names.extend(n for n in ("discrete", "continuous", "single") if n not in names)
            continue
        else:
            name = canonical_emotion(word) or canonical_compound(word) or canonical_au(word)
        if name is None:
            raise UsageError(
                f"--expressions: {word!r} is no expression; use {', '.join((*KINDS, *ATTRIBUTES))}, "
                f"an emotion ({', '.join(EMOTIONS)}), a compound of two ({', '.join(COMPOUNDS)}) "
                f"or an action unit ({', '.join(AU_NAMES)})."
            )
        if name not in names:
            names.append(name)
    if not names:
        raise UsageError("--expressions is empty; name at least one, or leave the option out for all kinds.")
    return tuple(names)

"""Edits and variants as random transforms draw them, whatever library the transform belongs to.

Everything random comes from torch's default generator when a transform is called: DataLoader seeds that one for each
worker and epoch, and ``torch.manual_seed`` for a whole program. Nothing is drawn when a transform is made.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from singanimation.flows.api.editor import Editor
from singanimation.flows.api.regenerator import FittedFace, Regenerator
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.expressions import EMOTIONS, canonical_emotion
from singanimation.pipeline.plan import LABEL_STRENGTH
from singanimation.pipeline.settings import Engine

LOGGER = logging.getLogger("singanimation.transforms")

_SEEDS = 2**62


class Drawn(NamedTuple):
    """What became of a picture: ``pixels`` uint8 (H, W, 3), and the emotion that it shows now (None: its own)."""

    pixels: np.ndarray
    emotion: str | None


def happens(p: float) -> bool:
    """Draw whether something with probability ``p`` happens."""
    return torch.rand(()).item() < p


def drawn_seed() -> int:
    """Draw a seed."""
    return int(torch.randint(_SEEDS, ()).item())


@dataclass(frozen=True)
class EditDraws:
    """How a random edit is drawn; see ``transforms.ExpressionEdit`` for the fields. Raises UsageError."""

    p: float
    emotions: tuple[str, ...]
    strengths: tuple[float, float]
    form: str
    face_crop: bool
    device: str

    @classmethod
    def checked(
        cls, p: float, emotions: Sequence[str], strengths: tuple[float, float], form: str, face_crop: bool, device: str
    ) -> "EditDraws":
        """Return the draws, or raise UsageError naming the argument that is wrong."""
        check_probability(p)
        names = [canonical_emotion(name) for name in emotions]
        for given, name in zip(emotions, names, strict=True):
            if name is None:
                raise UsageError(f"emotions: {given!r} is no emotion; use {', '.join(EMOTIONS)}.")
        low, high = strengths
        if not names or not 0 <= low <= high <= 1:
            raise UsageError(f"strengths are two numbers from 0 to 1, the lower first, not {strengths!r}.")
        return cls(p, tuple(str(name) for name in names), (float(low), float(high)), form, face_crop, device)

    @property
    def changes_labels(self) -> bool:
        """Return whether an edit may be so strong that its emotion is the picture's label."""
        return self.strengths[1] >= LABEL_STRENGTH

    def __call__(self, pixels: np.ndarray) -> Drawn:
        """Draw whether and how ``pixels`` uint8 (H, W, 3) are edited. Without a face they come back as they are."""
        if not happens(self.p):
            return Drawn(pixels, None)
        emotion = self.emotions[int(torch.randint(len(self.emotions), ()).item())]
        low, high = self.strengths
        strength = low + (high - low) * torch.rand(()).item()
        editor = _editor(self.device)
        edited = editor.edit(
            pixels, emotion, strength, form=self.form, seed=drawn_seed(), face_crop=self.face_crop, missing="none"
        )
        if edited is None:
            LOGGER.debug("no face was found: the picture stays as it is")
            return Drawn(pixels, None)
        return Drawn(edited, emotion if strength >= LABEL_STRENGTH else None)


class VariantDraws:
    """How a random variant is drawn; see ``transforms.RegeneratedVariant``. Raises UsageError.

    What was fitted is kept in the process, ``kept`` faces at most: a second epoch draws at once.
    """

    def __init__(
        self, p: float, engine: Engine, starts: Sequence[str], kept: int, face_crop: bool, device: str
    ) -> None:
        check_probability(p)
        if kept < 1:
            raise UsageError(f"kept is how many fitted faces a process remembers, 1 or more, not {kept!r}.")
        self.p, self.face_crop, self.kept = p, face_crop, kept
        self._made_with = (engine, tuple(starts), device)
        self._fitted: OrderedDict[str, FittedFace[np.ndarray] | None] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_fitted": OrderedDict()}  # a spawned worker fits its own

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Draw whether ``pixels`` uint8 (H, W, 3) are regenerated; without a face or a good draw they stay."""
        if not happens(self.p):
            return pixels
        seed = drawn_seed()
        fitted = self._face(pixels)
        drawn = fitted.draw(1, seed=seed) if fitted is not None else []
        if not drawn:
            LOGGER.debug("no face, or no variant that passes: the picture stays as it is")
        return drawn[0] if drawn else pixels

    def _face(self, pixels: np.ndarray) -> "FittedFace[np.ndarray] | None":
        key = hashlib.sha256(pixels.tobytes() + repr(pixels.shape).encode()).hexdigest()
        if key not in self._fitted:
            try:
                # seeded by the picture alone: the same fit in every worker and epoch
                self._fitted[key] = _regenerator(*self._made_with).fit(
                    pixels, seed=int(key[:15], 16), face_crop=self.face_crop
                )
            except PictureError:
                self._fitted[key] = None
            if len(self._fitted) > self.kept:
                self._fitted.popitem(last=False)
        self._fitted.move_to_end(key)
        return self._fitted[key]


def check_probability(p: float) -> None:
    """Raise UsageError for what is no probability."""
    if not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise UsageError(f"p is a probability from 0 to 1, not {p!r}.")


def new_label(label: int, emotion: str | None, labels: tuple[str, ...]) -> int:
    """Return the number of ``emotion`` in ``labels``, or the picture's own where it kept its expression."""
    return label if emotion is None else labels.index(emotion)


def checked_labels(labels: Sequence[str] | str | None, emotions: Sequence[str]) -> tuple[str, ...] | None:
    """Return a data set's class names as ours, () for ``keep``. Raises UsageError where an emotion has no class."""
    if labels is None or labels == "keep":
        return None if labels is None else ()
    names = tuple(canonical_emotion(name) or name for name in labels)
    lacking = [emotion for emotion in emotions if emotion not in names]
    if isinstance(labels, str) or lacking:
        raise UsageError(f"labels are the class names in their order, with {', '.join(emotions)} among them.")
    return names


@lru_cache(maxsize=2)
def _editor(device: str) -> Editor:
    return Editor(device=device)


@lru_cache(maxsize=2)
def _regenerator(engine: Engine, starts: tuple[str, ...], device: str) -> Regenerator:
    return Regenerator(engine=engine, starts=starts, device=device)

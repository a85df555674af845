"""What a variant must be besides near its edit's features: a new picture, an undamaged face, the same expression."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.records import Fault
from singanimation.stages.singan.diversity import LOW_PASS
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.tensors import to_tensor

WINDOWS = {
    "the eye on the left": (36, 28, 20, 30),
    "the eye on the right": (36, 70, 20, 30),
    "the brow on the left": (24, 24, 18, 36),
    "the brow on the right": (24, 68, 18, 36),
    "the mouth": (76, 36, 32, 56),
}
"""Top, left, height and width in a 128 px crop, whose eye centres are at (42.2, 45.1) and (85.8, 45.1)."""

CROP = 128
REACH = 8
"""Pixels of a 128 px crop by which a part of the face may have moved without being called damaged."""


@dataclass(frozen=True)
class VariantChecks:
    """Three checks of a variant against its edit.

    ``near_copy``: the least difference from the edit and from every variant kept before, as ``difference`` has it.
    ``likeness``: the least correlation of each window of ``WINDOWS``, found again within ``REACH`` pixels.
    ``au_drift``: the most that an action unit may have moved from the edit's own, among ``judged_units``, those
    (indices into the AU order) that the estimator measures well.
    """

    near_copy: float = 0.04
    likeness: float = 0.8
    au_drift: float = 0.3
    judged_units: tuple[int, ...] = ()

    def describe(self) -> str:
        """Return the limits in words, for a run's summary."""
        judged = ", ".join(AU_NAMES[index] for index in self.judged_units)
        drift = f"au_drift above {self.au_drift:g} on {judged}" if judged else "au_drift not judged: unknown estimator"
        return f"near_copy below {self.near_copy:g}; damaged below {self.likeness:g}; {drift}"

    def first_fault(
        self,
        pictures: tuple[np.ndarray, np.ndarray],
        units: tuple[np.ndarray, np.ndarray],
        kept: Sequence[np.ndarray],
    ) -> Fault | None:
        """Return why a variant is to be rejected, None where nothing is wrong.

        ``pictures`` are the edit and the variant, uint8 (H, H, 3) of an aligned crop; ``units`` (17,) in 0..1 what
        was measured on them as they are shipped; ``kept`` the variants of this edit accepted before.
        """
        return self.damaged(*pictures) or self.drifted(*units) or self.copied(*pictures, kept)

    def damaged(self, edit: np.ndarray, variant: np.ndarray) -> Fault | None:
        """Tell whether a part of the face is gone; both uint8 (H, H, 3), of an aligned crop."""
        found = {name: window_likeness(edit, variant, window) for name, window in WINDOWS.items()}
        name = min(found, key=lambda name: found[name])
        if found[name] >= self.likeness:
            return None
        message = f"{name} is not that of the edit: correlation {found[name]:.2f} is below {self.likeness:g}."
        return Fault("damaged", message[0].upper() + message[1:])

    def drifted(self, units_edit: np.ndarray, units_variant: np.ndarray) -> Fault | None:
        """Tell whether the expression moved away; both (17,) in 0..1, measured on the edit and on the variant."""
        moved = {index: float(abs(units_variant[index] - units_edit[index])) for index in self.judged_units}
        worst = max(moved, key=lambda index: moved[index], default=None)
        if worst is None or moved[worst] <= self.au_drift:
            return None
        return Fault(
            "au_drift",
            f"{AU_NAMES[worst]} moved from {units_edit[worst]:.2f} on the edit to {units_variant[worst]:.2f}, "
            f"more than {self.au_drift:g}.",
        )

    def copied(self, edit: np.ndarray, variant: np.ndarray, kept: Sequence[np.ndarray]) -> Fault | None:
        """Tell whether the variant is all but the edit, or all but one of ``kept``; all uint8 (H, H, 3)."""
        names = ["the edit", *["an earlier variant"] * len(kept)]
        for found, name in zip(differences(variant, [edit, *kept], edit), names, strict=True):
            if found < self.near_copy:
                return Fault(
                    "near_copy", f"It is all but {name}: they differ by {found:.3f}, below {self.near_copy:g}."
                )
        return None


def difference(first: np.ndarray, second: np.ndarray, edit: np.ndarray) -> float:
    """Return the root mean square difference of two pictures where grain does not count, in deviations of the edit.

    All uint8 (H, H, 3); compared after shrinking by ``LOW_PASS``, like ``diversity.diversity``: two variants of a
    set with diversity d differ by about d times the root of 2.
    """
    return differences(first, [second], edit)[0]


def differences(picture: np.ndarray, others: Sequence[np.ndarray], edit: np.ndarray) -> list[float]:
    """Return the ``difference`` of ``picture`` to each of ``others``, which are shrunk together."""
    shrunk, contrast = _shrunk([picture, *others], edit)
    return ((shrunk[1:] - shrunk[0]).square().mean((1, 2, 3)).sqrt() / contrast).tolist()


def window_likeness(edit: np.ndarray, variant: np.ndarray, window: tuple[int, int, int, int]) -> float:
    """Return the largest correlation -1..1 of a window of the edit with the variant, within ``REACH`` pixels.

    Pictures uint8 (H, H, 3); the window in pixels of a 128 px crop. Correlation of grey values (Lewis, "Fast
    normalized cross-correlation", 1995), so that tint and light do not count. A flat window is like anything (1).
    """
    scale = edit.shape[0] / CROP
    top, left, height, width = (round(scale * value) for value in window)
    reach = max(1, round(scale * REACH))
    grey, other = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (edit, variant))
    part = grey[top : top + height, left : left + width]
    if part.std() < 1.0:
        return 1.0
    padded = cv2.copyMakeBorder(other, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    around = padded[top : top + height + 2 * reach, left : left + width + 2 * reach]
    return float(cv2.matchTemplate(around, part, cv2.TM_CCOEFF_NORMED).max())


def mean_pairwise_difference(variants: np.ndarray, edit: np.ndarray) -> tuple[float, float]:
    """Return the mean and the least ``difference`` among variants uint8 (K, H, H, 3) of an edit; K is 2 or more."""
    shrunk, contrast = _shrunk(list(variants), edit)
    flat = shrunk.flatten(1)
    distances = torch.pdist(flat) / flat.shape[1] ** 0.5 / contrast
    return float(distances.mean()), float(distances.min())


def _shrunk(pictures: Sequence[np.ndarray], edit: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``pictures`` shrunk by ``LOW_PASS`` (K, 3, h, h), and the deviation of the edit shrunk likewise."""
    shrunk = resize(to_tensor(np.stack([*pictures, edit]), "cpu"), edit.shape[0] // LOW_PASS)
    return shrunk[:-1], shrunk[-1].std().clamp(min=1e-3)

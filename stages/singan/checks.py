"""What a variant must be besides near its edit's features: a new picture, an undamaged face, the same expression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.records import Fault
from singanimation.stages.singan.diversity import LOW_PASS
from singanimation.stages.singan.face_parts import CROP, WINDOWS
from singanimation.stages.singan.figures.detail import (
    blotches,
    drawn_detail,
    own_bands,
    registered_bands,
    skin_detail,
    unexplained,
)
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.tensors import to_tensor

LIKENESS: Mapping[str, float] = MappingProxyType({"eye": 0.72, "brow": 0.66, "mouth": 0.65})
"""The least likeness of a window's fine detail to the edit's, after registration, by the word in its name."""

FAINT = 2.0
"""Grey levels of fine detail that are like anything: noise in a dark or smooth window says nothing about it."""


@dataclass(frozen=True)
class VariantChecks:
    """Three checks of a variant against its edit.

    ``near_copy``: the least difference from the edit and from every variant kept before where grain does not count,
    as ``difference`` has it; ``new_detail``: the least detail that is not the edit's (``drawn_detail``). A variant
    below both is a copy; one of an engine that ``redraws`` is one below the second alone: the edit, moved.
    ``likeness``: the least ``window_likeness`` of each window of ``WINDOWS``; ``blotches``: the most grey levels by
    which smooth skin may be mottled, or the share ``masked`` of its own detail where that is more: wrinkles hide it.
    ``au_drift``: the most that an action unit may have moved from the edit's own, among ``judged_units``, those
    (indices into the AU order) that the estimator measures well.
    """

    near_copy: float = 0.04
    new_detail: float = 0.05
    redraws: bool = True
    likeness: Mapping[str, float] = field(default_factory=lambda: LIKENESS)
    blotches: float = 4.4
    masked: float = 0.3
    au_drift: float = 0.3
    judged_units: tuple[int, ...] = ()

    def describe(self) -> str:
        """Return the limits in words, for a run's summary."""
        judged = ", ".join(AU_NAMES[index] for index in self.judged_units)
        drift = f"au_drift above {self.au_drift:g} on {judged}" if judged else "au_drift not judged: unknown estimator"
        copy = f"near_copy below {self.near_copy:g} and new detail below {self.new_detail:g}"
        if self.redraws:
            copy = f"near_copy: new detail below {self.new_detail:g}"
        windows = ", ".join(f"{limit:g} ({word})" for word, limit in self.likeness.items())
        return (
            f"{copy}; damaged below {windows}, or skin mottled above {self.blotches:g} levels "
            f"and {self.masked:g} of its own detail; {drift}"
        )

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
        """Tell whether a part of the face is gone or its skin mottled; both uint8 (H, H, 3), of an aligned crop."""
        own, drawn = (fine_detail(bands) for bands in (own_bands(edit), registered_bands(edit, variant)))
        found = {name: window_likeness(own, drawn, window) for name, window in WINDOWS.items()}
        lacking = {name: found[name] - self._limit(name) for name in found}
        name = min(lacking, key=lambda name: lacking[name])
        if lacking[name] < 0:
            message = f"{name} is not that of the edit: likeness {found[name]:.2f} is below {self._limit(name):g}."
            return Fault("damaged", message[0].upper() + message[1:])
        mottled = blotches(edit, variant)
        limit = max(self.blotches, self.masked * skin_detail(edit))
        if mottled > limit:
            return Fault("damaged", f"Smooth skin is mottled by {mottled:.1f} grey levels, above {limit:.1f}.")
        return None

    def _limit(self, window: str) -> float:
        return next(limit for word, limit in self.likeness.items() if word in window)

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
        drawn = registered_bands(edit, variant)
        new = drawn_detail(unexplained(own_bands(edit), drawn))
        if self.redraws and new < self.new_detail:
            return Fault("near_copy", f"It is the edit, moved: new detail {new:.3f} is below {self.new_detail:g}.")
        names = ["the edit", *["an earlier variant"] * len(kept)]
        for number, found in enumerate(differences(variant, [edit, *kept], edit)):
            if found >= self.near_copy:
                continue
            if number:
                new = drawn_detail(unexplained(registered_bands(edit, kept[number - 1]), drawn))
            if new < self.new_detail:
                message = f"It is all but {names[number]}: they differ by {found:.3f}, below {self.near_copy:g}"
                return Fault("near_copy", f"{message}, and in new detail by {new:.3f}, below {self.new_detail:g}.")
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


def fine_detail(bands: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the detail below 4 px: a smear and an iris are alike where it is coarser (measured)."""
    return bands["<2"] + bands["2-4"]


def window_likeness(edit: np.ndarray, moved: np.ndarray, window: tuple[int, int, int, int]) -> float:
    """Return how alike -1..1 a window's detail is in the edit and in the registered variant, both float (H, H).

    The window in pixels of a 128 px crop. It is the contrast and structure term of SSIM (Wang et al., "Image Quality
    Assessment", IEEE TIP 2004) over the window: 1 for the same, less for other strokes and for weaker ones. What is
    fainter than ``FAINT`` is like anything.
    """
    scale = edit.shape[0] / CROP
    top, left, height, width = (round(scale * value) for value in window)
    first, second = (detail[top : top + height, left : left + width] for detail in (edit, moved))
    faint = 2 * FAINT**2
    return float((2 * (first * second).mean() + faint) / ((first**2).mean() + (second**2).mean() + faint))


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

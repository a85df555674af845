"""The expander that runs any generator: a crop and its targets in, edits out."""

from pathlib import Path
from typing import Self

import numpy as np
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.grey import greyed
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.composition import FollowsLandmarks, Generator, GeneratorOutput
from singanimation.stages.expansion.expander import Edits

NEARLY_GREY = 5
"""How far (of 255) the channels of a grey picture may be apart, on 99 of 100 pixels."""


class ExpressionEditor:
    """A generator with its digest, as an ``Expander``: each edit is computed alone; its bytes depend on no other."""

    def __init__(self, network: Generator, digest: str, device: str = "cpu") -> None:
        self.network = network  # for those who count its weights; ``edit`` is how it is used
        self._device = device
        self.digest = digest
        self.drawing = network.drawing
        self.labels = network.labels

    @classmethod
    def load(cls, path: Path | None = None, device: str = "cpu") -> Self:
        """Load ``path``, or the shipped generator. Raises WeightsError."""
        loaded = load_generator(path, device)
        return cls(loaded.network, loaded.digest, device)

    def edit(
        self,
        crop: np.ndarray,
        au_source: np.ndarray,
        au_targets: np.ndarray,
        sides: np.ndarray | None = None,
        seen: np.ndarray | None = None,
    ) -> Edits:
        """Edit ``crop`` (128, 128, 3) uint8; see ``Expander``. No network runs for a target equal to the source."""
        targets = np.asarray(au_targets, np.float32)
        change = np.clip(targets - np.asarray(au_source, np.float32), -1, 1)
        moving = np.flatnonzero(change.any(1))
        edits = _unedited(crop, len(change))
        if len(moving) == 0:
            return edits
        condition = change if self.network.relative else targets
        pulls = None if sides is None else np.asarray(sides, np.float32)[moving]
        done = self._run(crop, condition[moving], pulls, seen)
        if is_grey(crop):
            done = done._replace(pictures=greyed(done.pictures), colour=greyed(done.colour))
        for whole, part in zip(edits[:3], done[:3], strict=True):
            whole[moving] = part
        if done.flow is None or edits.flow is None:
            return edits._replace(flow=None)
        edits.flow[moving] = done.flow
        return edits

    @property
    def follows_landmarks(self) -> bool:
        """Whether ``towards`` can be asked for."""
        return isinstance(self.network, FollowsLandmarks)

    @torch.inference_mode()
    def towards(self, crop: np.ndarray, donors: np.ndarray) -> Edits:
        """Edit ``crop`` (128, 128, 3) uint8 to the expressions of the crops ``donors`` (K, 128, 128, 3) uint8.

        The donors' landmarks are what is aimed at, not their action units. Raises UsageError where the generator goes
        by action units or labels alone.
        """
        if not isinstance(self.network, FollowsLandmarks):
            raise UsageError("This expander follows no landmarks of donors; those of `augment train landmarks` do.")
        points = [self.network.landmarks(self._picture(donor)) for donor in donors]
        done = self._edits_of(self.network.towards(self._picture(crop), torch.cat(points)))
        if is_grey(crop):
            done = done._replace(pictures=greyed(done.pictures), colour=greyed(done.colour))
        return done

    @torch.inference_mode()
    def _run(self, crop: np.ndarray, condition: np.ndarray, sides: np.ndarray | None, seen: np.ndarray | None) -> Edits:
        pulls = None if sides is None else self._on_device(sides)
        there = None if seen is None else self._on_device(seen.astype(np.float32))[None, None]
        return self._edits_of(self.network.edits(self._picture(crop), self._on_device(condition), pulls, there))

    def _picture(self, crop: np.ndarray) -> torch.Tensor:
        return self._on_device(crop).permute(2, 0, 1)[None].float() / 127.5 - 1

    @staticmethod
    def _edits_of(output: GeneratorOutput) -> Edits:
        flow = None if output.flow is None else output.flow.float().cpu().numpy()
        attention = output.attention[:, 0].float().cpu().numpy()
        return Edits(_to_uint8(output.picture), attention, _to_uint8(output.colour), flow)

    def _on_device(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


def is_grey(crop: np.ndarray) -> bool:
    """Return whether uint8 (H, W, 3) is a grey picture, also one that a JPEG has tinted by a few levels."""
    spread = crop.max(2).astype(np.int16) - crop.min(2)
    return bool(np.percentile(spread, 99) <= NEARLY_GREY)


def _unedited(crop: np.ndarray, count: int) -> Edits:
    pictures = np.repeat(crop[None], count, 0)
    flow = np.zeros((count, 2, *crop.shape[:2]), np.float32)
    return Edits(pictures, np.ones((count, *crop.shape[:2]), np.float32), pictures.copy(), flow)


def _to_uint8(pictures: torch.Tensor) -> np.ndarray:
    """(K, 3, H, W) in -1..1 -> uint8 (K, H, W, 3)."""
    scaled = (pictures.float().permute(0, 2, 3, 1) + 1) * 127.5
    return scaled.round().clamp(0, 255).byte().cpu().numpy()

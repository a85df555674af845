"""The expander that runs any generator: a crop and its targets in, edits out."""

from pathlib import Path
from typing import Self

import numpy as np
import torch

from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.composition import Generator
from singanimation.stages.expansion.expander import Edits


class ExpressionEditor:
    """A generator with its digest, as an ``Expander``: each edit is computed alone; its bytes depend on no other."""

    def __init__(self, network: Generator, digest: str, device: str = "cpu") -> None:
        self._network = network
        self._device = device
        self.digest = digest

    @classmethod
    def load(cls, path: Path | None = None, device: str = "cpu") -> Self:
        """Load ``path``, or the shipped generator. Raises WeightsError."""
        loaded = load_generator(path, device)
        return cls(loaded.network, loaded.digest, device)

    def edit(self, crop: np.ndarray, au_source: np.ndarray, au_targets: np.ndarray) -> Edits:
        """Edit ``crop`` (128, 128, 3) uint8 from ``au_source`` (17,) to each of ``au_targets`` (K, 17), 0..1.

        A target equal to the source gives back the crop's very bytes (no network runs).
        """
        done = [self._one(crop, au_source, target) for target in au_targets]
        flows = [edit.flow for edit in done if edit.flow is not None]
        return Edits(
            np.stack([edit.pictures for edit in done]),
            np.stack([edit.attention for edit in done]),
            np.stack([edit.colour for edit in done]),
            np.stack(flows) if len(flows) == len(done) else None,
        )

    def _one(self, crop: np.ndarray, source: np.ndarray, target: np.ndarray) -> Edits:
        change = np.clip(np.asarray(target, np.float32) - np.asarray(source, np.float32), -1, 1)
        if not change.any():
            still = np.zeros((2, *crop.shape[:2]), np.float32)
            return Edits(crop.copy(), np.ones(crop.shape[:2], np.float32), crop.copy(), still)
        condition = change if self._network.relative else np.asarray(target, np.float32)
        with torch.inference_mode():
            picture = torch.from_numpy(crop).permute(2, 0, 1)[None].to(self._device).float() / 127.5 - 1
            output = self._network(picture, torch.from_numpy(condition)[None].to(self._device))
        flow = None if output.flow is None else output.flow[0].float().cpu().numpy()
        attention = output.attention[0, 0].float().cpu().numpy()
        return Edits(_to_uint8(output.picture[0]), attention, _to_uint8(output.colour[0]), flow)


def _to_uint8(picture: torch.Tensor) -> np.ndarray:
    """(3, H, W) in -1..1 -> uint8 (H, W, 3)."""
    scaled = (picture.float().permute(1, 2, 0) + 1) * 127.5
    return scaled.round().clamp(0, 255).byte().cpu().numpy()

"""One signature for all AU estimators, and the embedded ones behind it."""

from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.pipeline.face.mesh import eye_centres
from singanimation.stages.action_units.network import ALIGNER_SIZE, AlignerNetwork, AUNetwork, fused, to_network_input
from singanimation.stages.action_units.weights import load_weights

FACE_THRESHOLD = 0.5
"""The least face score that counts as a face: training ends by shifting the score so that this is the place."""

_CHUNK = 32


class AUResult(NamedTuple):
    """What an estimator says of N crops.

    ``action_units`` float32 (N, 17) in 0..1, OpenFace order; ``landmarks`` float32 (N, 478, 2), MediaPipe's
    points in pixels of the crop (continuous: the first pixel's middle is 0.5), or None.
    """

    action_units: np.ndarray
    landmarks: np.ndarray | None


class AUEstimator(Protocol):
    """Anything that estimates action units: the embedded network, Py-Feat, OpenFace's files.

    ``name`` is what the manifest writes, ``digest`` tells its weights apart.
    """

    name: str
    digest: str

    def __call__(self, crops: np.ndarray) -> AUResult:
        """Estimate uint8 crops (N, 128, 128, 3) RGB in canonical framing."""
        ...


def _check(pictures: np.ndarray, size: int | None) -> None:
    edge = "S" if size is None else size
    square = pictures.ndim == 4 and pictures.shape[1] == pictures.shape[2] and pictures.shape[3] == 3
    if pictures.dtype != np.uint8 or not square or (size is not None and pictures.shape[1] != size):
        raise UsageError(
            f"an estimator takes uint8 pictures (N, {edge}, {edge}, 3); got {pictures.dtype} {pictures.shape}."
        )


def _inputs(pictures: np.ndarray, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return to_network_input(tensor).contiguous(memory_format=torch.channels_last)


WELL_MEASURED = ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU25", "AU26", "AU45")
"""The action units whose estimates correlate with the labels of unseen people at 0.88 or more (see the model card)."""


class EmbeddedEstimator:
    """The AU network that ships with the package; looks at each crop and, by default, its mirror image."""

    name = "embedded"

    def __init__(self, network: AUNetwork, digest: str, mirrored: bool = True) -> None:
        self.network, self.digest, self._mirrored = fused(network), digest, mirrored
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, device: str = "cpu", path: Path | None = None, mirrored: bool = True) -> Self:
        """Read the packaged weights (or those at ``path``). Raises WeightsError when they cannot be read."""
        weights = load_weights(path, device)
        return cls(weights.action_units, weights.digest, mirrored)

    def __call__(self, crops: np.ndarray) -> AUResult:
        """Estimate uint8 crops (N, 128, 128, 3); each crop's result does not depend on its neighbours."""
        return AUResult(*self._units_and_landmarks(crops))

    def find_eyes(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return eye centres float32 (N, 2, 2), the picture's left first, and landmarks (N, 478, 2), crop pixels."""
        _, landmarks = self._units_and_landmarks(crops)
        return eye_centres(landmarks), landmarks

    @torch.inference_mode()
    def _units_and_landmarks(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _check(crops, CROP_SIZE)
        units, landmarks = [np.zeros((0, 17), np.float32)], [np.zeros((0, 478, 2), np.float32)]
        for start in range(0, len(crops), _CHUNK):
            found, points = self._estimate(_inputs(crops[start : start + _CHUNK], self._device))
            units.append(found.cpu().numpy())
            landmarks.append(points.cpu().numpy())
        return np.concatenate(units), np.concatenate(landmarks)

    def _estimate(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        units, points = self.network(inputs)
        if not self._mirrored:
            return units, points
        mirror_units, turned = self.network(inputs.flip(3).contiguous(memory_format=torch.channels_last))
        turned = turned[:, self.network.mirror]
        turned = torch.stack([CROP_SIZE - turned[..., 0], turned[..., 1]], -1)
        return (units + mirror_units) / 2, (points + turned) / 2

    @torch.inference_mode()
    def features(self, crops: np.ndarray) -> np.ndarray:
        """Return early features float32 (N, 1024, 64): one vector for each cell of 4x4 px of the crop, row by row.

        Each sees 18x18 pixels: the texture-sized neighbourhood that a SIFID compares (the paper's, on
        Inception's first block, sees 11x11 of a picture about twice as large).
        """
        _check(crops, CROP_SIZE)
        found = [np.zeros((0, 1024, 64), np.float32)]
        for start in range(0, len(crops), _CHUNK):
            maps = self.network.early(_inputs(crops[start : start + _CHUNK], self._device))
            found.append(maps.flatten(2).transpose(1, 2).cpu().numpy())
        return np.concatenate(found)


class AlignResult(NamedTuple):
    """What the aligner says of N squares of S pixels.

    ``points`` float32 (N, 5, 2) in pixels of the square: eye centres (the picture's left first), nose tip,
    mouth corners; ``face`` float32 (N,) in 0..1: how surely there is a face, from ``FACE_THRESHOLD`` up taken for one.
    """

    points: np.ndarray
    face: np.ndarray


class EmbeddedAligner:
    """The aligner that ships with the package: where a badly framed face is, and whether it is one."""

    def __init__(self, network: AlignerNetwork, digest: str) -> None:
        self.network, self.digest = fused(network), digest
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, device: str = "cpu", path: Path | None = None) -> Self:
        """Read the packaged weights (or those at ``path``). Raises WeightsError when they hold no aligner."""
        weights = load_weights(path, device)
        if weights.aligner is None:
            raise WeightsError(f"{path or 'the packaged weights'}: the file holds an AU network but no aligner.")
        return cls(weights.aligner, weights.digest)

    @torch.inference_mode()
    def __call__(self, squares: np.ndarray) -> AlignResult:
        """Look at uint8 squares (N, S, S, 3) of any size S; they are reduced to 64 px."""
        _check(squares, None)
        edge = squares.shape[1]
        points, face = [np.zeros((0, 5, 2), np.float32)], [np.zeros(0, np.float32)]
        for start in range(0, len(squares), _CHUNK):
            inputs = _inputs(squares[start : start + _CHUNK], self._device)
            if edge != ALIGNER_SIZE:
                inputs = torch.nn.functional.interpolate(inputs, (ALIGNER_SIZE,) * 2, mode="bilinear", antialias=True)
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            found, logits = self.network(inputs)
            points.append((found * edge).cpu().numpy())
            face.append(logits.sigmoid().cpu().numpy())
        return AlignResult(np.concatenate(points), np.concatenate(face))

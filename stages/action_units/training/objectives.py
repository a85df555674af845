"""What the AU network is asked to get right on a batch, and how its batches are drawn."""

from functools import reduce
from operator import add
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.face.framing import CROP_SIZE, CROP_WITH_MARGIN, INTEROCULAR, MARGIN, apply
from singanimation.pipeline.face.mesh import MIRROR, POINTS, USUAL_68
from singanimation.stages.action_units.network import BLENDSHAPES, SHAPE_MODES, AUNetwork, to_network_input
from singanimation.stages.action_units.training.augmentation import MILD, degrade, jittered_frame
from singanimation.stages.action_units.training.faces import FaceCrops
from singanimation.stages.action_units.warp import warp

_EYELIDS_AND_LIPS = (159, 145, 386, 374, 158, 153, 385, 380, 13, 14, 0, 17, 468, 473)
_HALF = CROP_SIZE / 2


class Objective(Protocol):
    """A network's task: batches drawn from a generator, and the loss on them."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        ...

    def loss(self, rng: np.random.Generator, size: int) -> tuple[Tensor, dict[str, float]]:
        """Draw a batch of ``size`` pictures and return its loss, and the named parts of it."""
        ...


def mirrored_names(names: tuple[str, ...]) -> np.ndarray:
    """Return int64 (B,): which blendshape takes which one's place in a mirrored picture (Left for Right)."""
    swapped = [name.replace("Left", "#").replace("Right", "Left").replace("#", "Right") for name in names]
    return np.array([names.index(name) if name in names else index for index, name in enumerate(swapped)], np.int64)


def shape_model(landmarks: np.ndarray, mirror: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return mean shape (478, 2) and basis (96, 956) of crop landmarks (N, 478, 2), mirrored and jittered as trained.

    The mean is in pixels from the crop's middle; a row of the basis is one standard deviation of its
    principal component, in tenths of the distance between the eyes.
    """
    mirrored = (landmarks * np.array([-1, 1], np.float32) + np.array([CROP_SIZE, 0], np.float32))[:, mirror]
    shapes = np.concatenate([landmarks, mirrored])
    frames = [jittered_frame(rng, MILD, (_HALF, _HALF), CROP_SIZE, 1.0, mirror=False) for _ in shapes]
    shapes = np.stack([apply(frame, shape) for frame, shape in zip(frames, shapes, strict=True)]) - _HALF
    mean = shapes.mean(0, dtype=np.float64)
    offsets = (shapes - mean).reshape(len(shapes), -1) * (10 / INTEROCULAR)
    values, vectors = np.linalg.eigh(offsets.T @ offsets / len(offsets))
    order = np.argsort(values)[::-1][:SHAPE_MODES]
    basis = vectors[:, order].T * np.sqrt(values[order].clip(1e-8))[:, None]
    return mean.astype(np.float32), basis.astype(np.float32)


def concordance(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return Lin's concordance correlation coefficient of each column (K,) over a batch (B, K)."""
    mean_p, mean_w = predicted.mean(0), wanted.mean(0)
    covariance = ((predicted - mean_p) * (wanted - mean_w)).mean(0)
    spread = predicted.var(0, correction=0) + wanted.var(0, correction=0) + (mean_p - mean_w).square()
    return 2 * covariance / (spread + 1e-4)


class AUObjective:
    """Action units, landmarks and blendshapes of mildly jittered crops, real and warped ones mixed.

    Raises DatasetError where no action unit varies.
    """

    def __init__(self, faces: FaceCrops, real_share: float, device: torch.device, rng: np.random.Generator) -> None:
        self.faces, self.device = faces, device
        self.network = AUNetwork()
        self._pools = [np.flatnonzero(~faces.warped), np.flatnonzero(faces.warped)]
        self._real_share = real_share if len(self._pools[1]) else 1.0
        known = np.isfinite(faces.landmarks).all((1, 2))
        if known.any():
            landmarks = faces.landmarks[known] - MARGIN
            self.mirror = MIRROR.copy()
            mean, basis = shape_model(landmarks, self.mirror, rng)
            self.network.mean_shape.copy_(torch.from_numpy(mean))
            self.network.shape_basis.copy_(torch.from_numpy(basis))
            self.network.mirror.copy_(torch.from_numpy(self.mirror))
        else:
            self.mirror = np.arange(POINTS)
        start = np.clip(faces.action_units.mean(0), 0.02, 0.98)
        last = cast(nn.Linear, self.network.units[-1])
        with torch.no_grad():
            last.bias[: len(start)] = torch.from_numpy(np.log(start / (1 - start)))
        self._mirror_shapes = mirrored_names(faces.blendshape_names)
        spread = faces.action_units.std(0)
        if not (spread > 0.01).any():
            raise DatasetError("All faces to train on have the same action units, from which nothing can be learned.")
        weights = np.where(spread < 1e-3, 0.5, np.clip(0.15 / np.maximum(spread, 0.06), 0.5, 2))
        self._varying = torch.from_numpy(spread > 0.01).to(device)
        self._unit_weights = torch.from_numpy(weights.astype(np.float32)).to(device)
        point_weights = np.ones(POINTS, np.float32)
        point_weights[list(USUAL_68)] = 3
        point_weights[list(_EYELIDS_AND_LIPS)] = 4
        self._point_weights = torch.from_numpy(point_weights / point_weights.mean()).to(device)

    def _draw(self, rng: np.random.Generator, size: int) -> tuple[Tensor, ...]:
        real = int(round(size * self._real_share))
        counts = (real, size - real)
        chosen = np.concatenate([rng.choice(pool, n) for pool, n in zip(self._pools, counts, strict=True) if n])
        pictures, landmarks, blendshapes = [], [], []
        middle = CROP_WITH_MARGIN / 2
        for index in chosen:
            mirror = bool(rng.random() < 0.5)
            frame = jittered_frame(rng, MILD, (middle, middle), CROP_SIZE, 1.0, mirror)
            pictures.append(degrade(rng, warp(self.faces.pictures[index], frame, CROP_SIZE)))
            points = apply(frame, self.faces.landmarks[index])
            landmarks.append(points[self.mirror] if mirror else points)
            shapes = self.faces.blendshapes[index]
            blendshapes.append(shapes[self._mirror_shapes] if mirror else shapes)
        arrays = (np.stack(pictures), self.faces.action_units[chosen], np.stack(landmarks), np.stack(blendshapes))
        return tuple(torch.from_numpy(array).to(self.device) for array in arrays)

    def loss(self, rng: np.random.Generator, size: int) -> tuple[Tensor, dict[str, float]]:
        """Draw a batch and return its loss and its parts (``units``, ``concordance``, ``landmarks``, ...)."""
        pictures, units, landmarks, blendshapes = self._draw(rng, size)
        inputs = to_network_input(pictures).contiguous(memory_format=torch.channels_last)
        output = self.network.describe(inputs)
        error = output.action_units - units
        parts = {
            "units": ((error.abs() + 2 * error.square()) * self._unit_weights).mean(),
            "concordance": 1 - concordance(output.action_units, units)[self._varying].mean(),
        }
        known = torch.isfinite(landmarks).all(-1).all(-1)
        if known.any():
            distance = (output.landmarks[known] - landmarks[known]).abs().sum(-1) / INTEROCULAR
            parts["landmarks"] = (distance * self._point_weights).mean()
        if blendshapes.shape[1] == BLENDSHAPES:
            described = torch.isfinite(blendshapes).all(-1)
            if described.any():
                parts["blendshapes"] = (output.blendshapes[described] - blendshapes[described]).abs().mean()
        shares = {"units": 1.0, "concordance": 0.1, "landmarks": 2.0, "blendshapes": 0.5}
        total = reduce(add, (shares[name] * part for name, part in parts.items()))
        return total, {name: float(part.detach()) for name, part in parts.items()}

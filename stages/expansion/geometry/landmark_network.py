"""Finds the face-mesh landmarks that the geometry moves: the generator's own, trained with it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.face import mesh
from singanimation.pipeline.face.framing import CROP_SIZE

MODES = 96
"""Principal components of the training landmarks that the network draws upon."""

LIDS, LIPS = 5.0, 3.0
"""How much an eyelid's and a lip's error counts, other points 1: paint has to meet their edges."""

GAPS = 0.3
"""How much the gaps' error counts beside the places': what opens and closes starts from them."""


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.SiLU(inplace=True))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False))
        self.norm = nn.BatchNorm2d(width)

    def forward(self, maps: Tensor) -> Tensor:
        return F.silu(maps + self.norm(self.branch(maps)))


class LandmarkNetwork(nn.Module):
    """Crop -> MediaPipe's 478 landmarks: a mean shape plus a linear basis, as an active shape model has them.

    BatchNorm only, so that in ``eval`` each picture stands alone. ``learn_shapes`` has to be called before training.
    """

    mean_shape: Tensor
    basis: Tensor

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(2),
            _conv(12, width),
            _conv(width, 2 * width, 2),
            _Block(2 * width),
            _conv(2 * width, 3 * width, 2),
            _Block(3 * width),
            _conv(3 * width, 6 * width, 2),
            _Block(6 * width),
        )
        cells = (CROP_SIZE // 16) ** 2
        self.neck = nn.Sequential(
            nn.Conv2d(6 * width, 24, 1), nn.SiLU(), nn.Flatten(), nn.Linear(24 * cells, 256), nn.SiLU()
        )
        self.shape = nn.Linear(256, MODES)
        self.register_buffer("mean_shape", torch.zeros(mesh.POINTS, 2))
        self.register_buffer("basis", torch.zeros(MODES, mesh.POINTS * 2))

    @torch.no_grad()
    def learn_shapes(self, landmarks: Tensor) -> None:
        """Take mean and principal components of ``landmarks`` (N, 478, 2), pixels of the crop."""
        flat = (landmarks.double() - CROP_SIZE / 2).flatten(1)
        mean = flat.mean(0)
        _, spread, directions = torch.linalg.svd(flat - mean, full_matrices=False)
        found = min(MODES, len(spread))
        self.mean_shape.copy_(mean.view(-1, 2))
        self.basis.zero_()
        self.basis[:found] = (directions * spread[:, None] / max(1, len(flat)) ** 0.5)[:found]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return landmarks (B, 478, 2) in pixels (the first pixel's middle is 0.5) of pictures in -1..1."""
        code = self.shape(self.neck(self.trunk(pictures))).float()
        return self.mean_shape + (code @ self.basis).view(-1, mesh.POINTS, 2) + CROP_SIZE / 2


def landmark_loss(found: Tensor, wanted: Tensor, mirror: Tensor) -> Tensor:
    """Weighted mean distance (L1) in pixels, and ``GAPS`` times that of the gaps between lids and between lips.

    Both (B, 478, 2); ``mirror`` (478,): each point's mirror image.
    """
    weights = torch.ones(mesh.POINTS, device=found.device)
    weights[list(mesh.LIPS)] = LIPS
    eyes = torch.tensor([*mesh.EYE_CORNERS, *mesh.UPPER_LID, *mesh.LOWER_LID], device=found.device)
    weights[torch.cat([eyes, mirror[eyes]])] = LIDS
    weights[list(mesh.IRISES)] = LIDS
    places = ((found - wanted).abs().mean(2) * weights).sum(1).mean() / weights.sum()
    left = [torch.tensor(ring, device=found.device) for ring in (mesh.UPPER_LID, mesh.LOWER_LID)]
    lips = [torch.tensor(ring, device=found.device) for ring in (mesh.UPPER_LIP[3], mesh.LOWER_LIP[3])]
    upper, lower = (torch.cat([lid, mirror[lid], lip]) for lid, lip in zip(left, lips, strict=True))
    gaps = (found[:, lower] - found[:, upper]) - (wanted[:, lower] - wanted[:, upper])
    return places + GAPS * gaps.abs().mean()

"""The two embedded networks: action units with landmarks from a crop, and an aligner for badly framed faces."""

from copy import deepcopy
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE, INTEROCULAR
from singanimation.pipeline.face.mesh import POINTS

ALIGNER_SIZE = 64
ALIGNER_POINTS = 5
BLENDSHAPES = 51
SHAPE_MODES = 96

Network = TypeVar("Network", bound=nn.Module)


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.SiLU())


class _Residual(nn.Module):
    """Two convolutions and a skip; ``separable`` makes the first depthwise and the second 1x1."""

    def __init__(self, width: int, separable: bool = False) -> None:
        super().__init__()
        first = _conv(width, width, groups=width if separable else 1)
        second = nn.Conv2d(width, width, 1 if separable else 3, padding=0 if separable else 1, bias=False)
        self.branch = nn.Sequential(first, second, nn.BatchNorm2d(width))

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.silu(maps + self.branch(maps))


class AUOutput(NamedTuple):
    """What the AU network knows of B crops.

    ``action_units`` (B, 17) in 0..1; ``landmarks`` (B, 478, 2) in pixels of the crop; ``blendshapes``
    (B, 51) in 0..1, MediaPipe's, a training aid; ``features``: maps of 64, 96 and 192 channels at 1/4, 1/8
    and 1/16 of the crop's size.
    """

    action_units: Tensor
    landmarks: Tensor
    blendshapes: Tensor
    features: list[Tensor]


class AUNetwork(nn.Module):
    """128x128 crop -> 17 action units and 478 landmarks from one trunk.

    Landmarks are a mean shape plus a linear basis (principal components of the training landmarks); their
    coefficients also feed the AU head. BatchNorm only, so that in ``eval`` each picture stands alone.
    """

    mean_shape: Tensor
    shape_basis: Tensor
    mirror: Tensor

    def __init__(self, widths: tuple[int, int, int, int] = (32, 64, 96, 192), dropout: float = 0.2) -> None:
        super().__init__()
        stem, early, middle, late = widths
        self.early = nn.Sequential(
            nn.PixelUnshuffle(2), _conv(12, stem), _conv(stem, early, stride=2), _Residual(early, separable=True)
        )
        self.middle = nn.Sequential(_conv(early, middle, stride=2), _Residual(middle))
        self.late = nn.Sequential(_conv(middle, late, stride=2), _Residual(late))
        self.neck = nn.Sequential(
            _conv(late, 24, kernel=1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(24 * 64, 256), nn.SiLU()
        )
        self.shape = nn.Linear(256, SHAPE_MODES)
        self.units = nn.Sequential(
            nn.Linear(256 + SHAPE_MODES, 128), nn.SiLU(), nn.Linear(128, len(AU_NAMES) + BLENDSHAPES)
        )
        self.register_buffer("mean_shape", torch.zeros(POINTS, 2))
        self.register_buffer("shape_basis", torch.zeros(SHAPE_MODES, POINTS * 2))
        self.register_buffer("mirror", torch.arange(POINTS))

    def describe(self, pictures: Tensor) -> AUOutput:
        """Return everything known of pictures (B, 3, 128, 128) in -1..1."""
        early = self.early(pictures)
        middle = self.middle(early)
        late = self.late(middle)
        code = self.neck(late)
        coefficients = self.shape(code)
        offsets = (coefficients @ self.shape_basis).view(-1, POINTS, 2)
        heads = self.units(torch.cat([code, coefficients], 1)).sigmoid()
        units, blendshapes = heads.split([len(AU_NAMES), BLENDSHAPES], 1)
        landmarks = (self.mean_shape + offsets * INTEROCULAR / 10) + CROP_SIZE / 2
        return AUOutput(units, landmarks, blendshapes, [early, middle, late])

    def forward(
        self, pictures: Tensor, features: bool = False
    ) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, list[Tensor]]:
        """Return ``(action_units, landmarks)``, and the list of feature maps as a third on ``features=True``."""
        output = self.describe(pictures)
        if features:
            return output.action_units, output.landmarks, output.features
        return output.action_units, output.landmarks


class AlignerNetwork(nn.Module):
    """64x64 picture of a badly framed face -> five points and whether there is a face at all.

    Points (B, 5, 2): eye centres (the picture's left first), nose tip, mouth corners, as shares of the
    picture's edge (0..1 inside; points may lie outside). ``face`` (B,): a logit.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (24, 48, 64, 96), dropout: float = 0.1) -> None:
        super().__init__()
        stem, early, middle, late = widths
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(2),
            _conv(12, stem),
            _conv(stem, early, stride=2),
            _Residual(early, separable=True),
            _conv(early, middle, stride=2),
            _Residual(middle),
            _conv(middle, late),
            _conv(late, 32, kernel=1),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(32 * 64, 96), nn.SiLU(), nn.Linear(96, 2 * ALIGNER_POINTS + 1)
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(points, face)`` for pictures (B, 3, 64, 64) in -1..1."""
        output = self.head(self.trunk(pictures))
        return 0.5 + output[:, :-1].view(-1, ALIGNER_POINTS, 2), output[:, -1]


def fused(network: Network) -> Network:
    """Return a copy of a network in eval mode whose BatchNorms are part of their convolutions: faster, the same."""
    copy = deepcopy(network).eval()
    for block in [module for module in copy.modules() if isinstance(module, nn.Sequential)]:
        for place in range(len(block) - 1):
            convolution, norm = block[place], block[place + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[place] = fuse_conv_bn_eval(convolution, norm)
                block[place + 1] = nn.Identity()
    for activation in (module for module in copy.modules() if isinstance(module, nn.SiLU)):
        activation.inplace = True
    return copy.requires_grad_(False)


def to_network_input(pictures: Tensor) -> Tensor:
    """Turn uint8 pictures (B, H, W, 3) into float (B, 3, H, W) in -1..1."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1

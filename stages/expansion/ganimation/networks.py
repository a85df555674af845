"""The networks of the paper.

GANimation: Anatomically-aware Facial Animation from a Single Image, Pumarola et al., ECCV 2018. Sizes and
conventions follow the authors' released code, which imported checkpoints need.
"""

import math

import torch
from torch import Tensor, nn

from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.composition import Generator, GeneratorOutput, compose, usable_size

PAPER_WIDTH = 64
"""Maps of the first layers, in GANimation, StarGAN and CycleGAN alike."""


def _residual_block(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 1, 1, bias=False),
        nn.InstanceNorm2d(width, affine=True),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, 1, 1, bias=False),
        nn.InstanceNorm2d(width, affine=True),
    )


class ConditionedTrunk(Generator):
    """What GANimation and StarGAN have in common: picture and tiled condition in, maps of the picture's size out.

    ``planes`` are the condition's numbers, each tiled over the picture. ``size`` (``SIZES``) are the pixels it was
    trained at: crops are shrunk to them, what it paints is enlarged.
    """

    relative = False

    def __init__(self, width: int, blocks: int, planes: int, size: int) -> None:
        super().__init__()
        self.size = usable_size(size)
        self.stem = self._down(3 + planes, width, 7, 1, 3)
        self.down1 = self._down(width, 2 * width, 4, 2, 1)
        self.down2 = self._down(2 * width, 4 * width, 4, 2, 1)
        self.residuals = nn.ModuleList(_residual_block(4 * width) for _ in range(blocks))
        self.up1 = self._up(4 * width, 2 * width)
        self.up2 = self._up(2 * width, width)
        self.colour = nn.Conv2d(width, 3, 7, 1, 3, bias=False)

    @staticmethod
    def _down(channels: int, width: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
        convolution = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        return nn.Sequential(convolution, nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True))

    @staticmethod
    def _up(channels: int, width: int) -> nn.Sequential:
        convolution = nn.ConvTranspose2d(channels, width, 4, 2, 1, bias=False)
        return nn.Sequential(convolution, nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True))

    def maps(self, picture: Tensor, condition: Tensor) -> Tensor:
        """Return (B, width, H, W) of ``picture`` (B, 3, H, W) in -1..1 and ``condition`` (B, planes).

        A condition (B, planes, H, W) is not the same everywhere, and taken as it is.
        """
        tiled = condition if condition.dim() == 4 else condition[:, :, None, None]
        planes = tiled.expand(-1, -1, *picture.shape[2:])
        hidden = self.down2(self.down1(self.stem(torch.cat([picture, planes], 1))))
        for block in self.residuals:
            hidden = hidden + block(hidden)
        return self.up2(self.up1(hidden))


class PaperGenerator(ConditionedTrunk):
    """The paper's generator: picture and tiled target AUs in, attention and colour out.

    ``width`` is 64 in the paper, ``size`` 128. Conditions on the *target* AUs, not on the change.
    """

    def __init__(self, width: int = 64, blocks: int = 6, units: int = len(AU_NAMES), size: int = CROP_SIZE) -> None:
        super().__init__(width, blocks, units, size)
        self.attention = nn.Conv2d(width, 1, 7, 1, 3, bias=False)

    def forward(self, picture: Tensor, condition: Tensor) -> GeneratorOutput:
        """Edit ``picture`` (B, 3, H, W) in -1..1 towards ``condition`` (B, 17) AUs in 0..1."""
        hidden = self.maps(picture, condition)
        colour, attention = torch.tanh(self.colour(hidden)), torch.sigmoid(self.attention(hidden))
        return GeneratorOutput(compose(picture, attention, colour), attention, colour, None)


class PaperDiscriminator(nn.Module):
    """The paper's critic: a patch map of realness and a regression of the AUs, from a 128 px picture.

    Of smaller pictures (``size``) fewer ``layers`` leave the same map of 2 x 2 patches: 5 at 64 pixels.
    """

    def __init__(self, width: int = 64, layers: int = 6, units: int = len(AU_NAMES), size: int = CROP_SIZE) -> None:
        super().__init__()
        channels = [3, *(width * 2**index for index in range(layers))]
        trunk: list[nn.Module] = []
        for before, after in zip(channels, channels[1:], strict=False):
            trunk += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.01, inplace=True)]
        self.trunk = nn.Sequential(*trunk)
        self.realness = nn.Conv2d(channels[-1], 1, 3, 1, 1, bias=False)
        self.action_units = nn.Conv2d(channels[-1], units, size // 2**layers, bias=False)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return the realness map (B, 1, 2, 2), unbounded, and the AUs (B, 17), unbounded."""
        hidden = self.trunk(picture)
        return self.realness(hidden), self.action_units(hidden).flatten(1)


def scaled_width(share: float) -> int:
    """Return how many maps the first layers of trunk and critic have, as a ``share`` of the published ones."""
    return max(8, round(PAPER_WIDTH * share))


def critic_layers(size: int) -> int:
    """Return how many halvings leave 2 x 2 patches of ``size`` pixels: 6 of 128."""
    return size.bit_length() - 2


def initialise(network: nn.Module, generator: torch.Generator, share: float = 1.0) -> None:
    """Draw every weight as the released code does: convolutions N(0, 0.02), norms' gains N(1, 0.02), biases 0.

    ``share`` is the network's width as a part of the published one: a layer of a fourth of the maps adds up a fourth as
    many numbers, and its weights are drawn twice as large. Otherwise a narrow critic without norms, whose every layer
    shrinks what it is given, learns nothing for hundreds of steps.
    """
    deviation = 0.02 / math.sqrt(share)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, deviation, generator=generator)
        elif isinstance(module, nn.InstanceNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.InstanceNorm2d) and module.bias is not None:
            nn.init.zeros_(module.bias)

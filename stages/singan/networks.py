"""Generators and critics of one scale, for many edits at once.

B edits are one network with ``groups=B``: tensors are (S, B*C, H, W) for S samples, and group b sees nothing
of the others. With losses averaged per edit and summed over edits, each group learns as if it were alone.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

LAYERS = 5
MARGIN = LAYERS
"""Pixels that five unpadded 3x3 convolutions take from each side: inputs are zero-padded by as many."""

COLOURS = 3


def pad(pictures: torch.Tensor) -> torch.Tensor:
    """Zero-pad (..., H, W) by the margin that a network takes away."""
    return F.pad(pictures, (MARGIN,) * 4)


class ConvolutionStack(nn.Module):
    """Four conv(3x3)-[BatchNorm]-LeakyReLU(0.2) blocks and a plain fifth conv, unpadded: 11x11 pixels seen.

    Convolutions before a BatchNorm carry no bias: the normalisation would take it away again.
    """

    def __init__(self, edits: int, channels_in: int, kernels: int, channels_out: int, *, normalise: bool) -> None:
        super().__init__()
        self.edits, self.kernels, self.normalise = edits, kernels, normalise
        layers: list[nn.Module] = []
        channels = channels_in
        for _ in range(LAYERS - 1):
            layers.append(nn.Conv2d(edits * channels, edits * kernels, 3, groups=edits, bias=not normalise))
            if normalise:
                layers.append(nn.BatchNorm2d(edits * kernels))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            channels = kernels
        layers.append(nn.Conv2d(edits * kernels, edits * channels_out, 3, groups=edits))
        self.layers = nn.Sequential(*layers)


class Generator(ConvolutionStack):
    """Adds detail to the up-sampled picture of the scale before (SinGAN, eq. 2-3)."""

    def __init__(self, edits: int, kernels: int, *, normalise: bool) -> None:
        super().__init__(edits, COLOURS, kernels, COLOURS, normalise=normalise)

    def forward(self, noisy: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Map ``noisy`` and ``previous`` (S, B*3, H+10, W+10), both padded.

        Returns (S, B*3, H, W): ``previous`` plus a residual in -1..1.
        """
        return torch.tanh(self.layers(noisy)) + previous[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


class Critic(ConvolutionStack):
    """Scores every 11x11 patch (the Markovian discriminator of SinGAN)."""

    def __init__(self, edits: int, kernels: int, *, normalise: bool) -> None:
        super().__init__(edits, COLOURS, kernels, 1, normalise=normalise)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Map (S, B*3, H, W) to scores (S, B, H-10, W-10)."""
        return self.layers(pictures)


def initialise(
    network: nn.Module, generators: Sequence[torch.Generator], deviation: float | None, last: float = 0.1
) -> None:
    """Draw each edit's weights from its own random generator.

    ``deviation`` is that of the released code's N(0, 0.02); None draws He et al.'s (2015) for LeakyReLU, with
    a last convolution smaller by ``last``, so that a fresh generator changes its input little.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        fan_in = layer.weight[0].numel()
        scale = deviation or (2 / (1.04 * fan_in)) ** 0.5 * (last if layer is convolutions[-1] else 1.0)
        _draw_per_edit(layer.weight, generators, 0.0, scale)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            _draw_per_edit(layer.weight, generators, 1.0, deviation or 0.02)
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def _draw_per_edit(weight: torch.Tensor, generators: Sequence[torch.Generator], mean: float, scale: float) -> None:
    for part, generator in zip(weight.chunk(len(generators)), generators, strict=True):
        part.copy_(torch.randn(part.shape, generator=generator, dtype=torch.float32) * scale + mean)


def edit_state(network: nn.Module, index: int, edits: int) -> dict[str, torch.Tensor]:
    """Return the weights of edit ``index`` as the state of a network for one edit."""
    return {
        name: value.chunk(edits)[index].clone() if value.dim() else value.clone()
        for name, value in network.state_dict().items()
    }


def repeat_state(state: Mapping[str, torch.Tensor], edits: int) -> dict[str, torch.Tensor]:
    """Return the state of a network in which ``edits`` groups all carry the weights of ``state``."""
    return {
        name: value.repeat(edits, *[1] * (value.dim() - 1)) if value.dim() else value for name, value in state.items()
    }

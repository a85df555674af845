"""B SinGANs side by side: the sizes, what is trained of them, and how pictures pass through."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from singanimation.stages.singan.networks import COLOURS, Critic, Generator, pad
from singanimation.stages.singan.pyramid import pyramid_shapes, resize
from singanimation.stages.singan.randomness import EditRandomness


@dataclass(frozen=True)
class ReferenceRecipe:
    """The released code's defaults."""

    iterations: int = 2000
    generator_steps: int = 3
    critic_steps: int = 3
    learning_rate: float = 5e-4
    milestone: float = 0.8
    gamma: float = 0.1
    penalty: float = 0.1
    reconstruction: float = 10.0
    noise: float = 0.1
    kernels: int = 32
    most_kernels: int = 128
    deviation: float = 0.02

    def width(self, scale: int) -> int:
        """Return the kernels at ``scale``: 32, doubled every four scales, at most 128."""
        return min(self.kernels * 2 ** (scale // 4), self.most_kernels)


@dataclass
class ReferenceScale:
    """A trained scale; ``noise`` (B,) is sigma."""

    generator: Generator
    critic: Critic
    noise: torch.Tensor


class ReferencePyramid:
    """B SinGANs side by side, whose coarsest trained scale is ``first``.

    ``first=0`` is SinGAN as published. ``first=k`` is trained for the injection of the edit at scale k: its
    input is the edit at the size of scale k-1, up-sampled, as the released code feeds a draw of that scale.
    """

    def __init__(
        self,
        target: torch.Tensor,
        seeds: Sequence[int],
        first: int,
        shapes: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Prepare for ``target`` (1, B*3, H, W) in -1..1; ``scales[first:]`` are filled by training.

        ``shapes`` (h, w), coarsest first, the last the target's own; None: SinGAN's, of any aspect.
        """
        self.edits, self.first, self.seeds = target.shape[1] // COLOURS, first, list(seeds)
        shapes = pyramid_shapes(*target.shape[-2:]) if shapes is None else shapes
        self.pictures = [resize(target, shape) for shape in shapes]
        self.scales: dict[int, ReferenceScale] = {}
        self.optimal_noise: torch.Tensor | None = None

    def entering(self) -> torch.Tensor:
        """Return what the first scale gets in place of a coarser draw: (1, B*3, h, h)."""
        if self.first == 0:
            return torch.zeros_like(self.pictures[0])
        return resize(self.pictures[self.first - 1], self.shape(self.first))

    def unit_noise(self, scale: int, randomness: EditRandomness) -> torch.Tensor:
        """Return noise (1, B*3, h, h); at the coarsest scale the same for all three colours."""
        height, width = self.shape(scale)
        if scale == 0:
            return randomness.normal(1, 1, height, width).repeat_interleave(COLOURS, 1)
        return randomness.normal(1, COLOURS, height, width)

    def shape(self, scale: int) -> tuple[int, int]:
        """Return the height and width of ``scale``."""
        height, width = self.pictures[scale].shape[-2:]
        return height, width

    @torch.no_grad()
    def chain(
        self, upto: int, randomness: EditRandomness | None, noisy_from: int = 0, gain: float = 1.0
    ) -> torch.Tensor:
        """Run the trained scales below ``upto``; return what scale ``upto`` receives (the picture if it is last).

        Scales from ``noisy_from`` on get noise of sigma times ``gain``; those before, and all without
        ``randomness``, the reconstruction's: z* at the coarsest, none elsewhere.
        """
        picture = self.entering()
        for scale in range(self.first, upto):
            picture = resize(picture, self.shape(scale))
            padded = pad(picture)
            if randomness is not None and scale >= noisy_from:
                sigma = per_channel(self.scales[scale].noise) * (gain if scale else 1.0)
                noisy = padded + pad(self.unit_noise(scale, randomness)) * sigma
            else:
                noisy = padded if scale or self.optimal_noise is None else padded + pad(self.optimal_noise)
            picture = self.scales[scale].generator(noisy, padded)
        return resize(picture, self.shape(min(upto, len(self.pictures) - 1)))


def per_channel(values: torch.Tensor) -> torch.Tensor:
    """Return values (B,), one an edit, as (1, B*3, 1, 1)."""
    return values.reshape(1, -1, 1, 1).repeat_interleave(COLOURS, 1)

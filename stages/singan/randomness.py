"""Random numbers of many edits at once, each edit from its own generator.

An edit draws the same numbers whether it trains alone or among others, and never touches the global state.
"""

from collections.abc import Callable, Sequence

import torch

from singanimation.pipeline.digests import digest


def make_generator(*parts: object) -> torch.Generator:
    """Return a CPU generator whose seed is a digest of ``parts``."""
    generator = torch.Generator()
    generator.manual_seed(int(digest("singan", *parts, length=15), 16))
    return generator


class EditRandomness:
    """One random generator per edit, and draws laid out as (S, B*C, H, W)."""

    def __init__(self, seeds: Sequence[int], purpose: str, like: torch.Tensor) -> None:
        """Seed each edit's generator with its seed and ``purpose``; draws get ``like``'s type and device."""
        self.generators = [make_generator(purpose, seed) for seed in seeds]
        self._dtype, self._device = like.dtype, like.device

    def normal(self, samples: int, channels: int, height: int, width: int) -> torch.Tensor:
        """Return standard normal (S, B*channels, height, width)."""
        shape = (samples, channels, height, width)
        return self._joined(lambda generator: torch.randn(shape, generator=generator))

    def uniform(self, samples: int) -> torch.Tensor:
        """Return uniform 0..1 of shape (S, B, 1, 1)."""
        return self._joined(lambda generator: torch.rand((samples, 1, 1, 1), generator=generator))

    def integers(self, below: int) -> list[int]:
        """Return one integer 0..below-1 per edit."""
        return [int(torch.randint(below, (), generator=generator)) for generator in self.generators]

    def _joined(self, draw: Callable[[torch.Generator], torch.Tensor]) -> torch.Tensor:
        parts = [draw(generator) for generator in self.generators]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        return joined.to(device=self._device, dtype=self._dtype)

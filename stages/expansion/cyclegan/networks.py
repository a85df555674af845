"""The pair of generators of CycleGAN: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks", ICCV 2017.

One generator from the first emotion to the second, one back; no label is told, since each knows but one way. What
departs: the trunk is StarGAN's (six residual blocks, as the paper has for 128 px; zero in place of reflection padding).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.ganimation.networks import ConditionedTrunk
from singanimation.stages.expansion.labelled import LabelledGenerator


class OneWay(ConditionedTrunk):
    """A trunk without a condition: (B, 3, H, W) in -1..1 -> the same, of the other emotion."""

    def painted(self, picture: Tensor) -> Tensor:
        """Return ``picture`` as this generator knows to paint it."""
        return torch.tanh(self.colour(self.maps(picture, picture.new_zeros(len(picture), 0))))


class CycleGenerator(LabelledGenerator):
    """Two ways between two ``labels``: towards each from the other. ``width`` is 64 in the paper."""

    def __init__(self, labels: Sequence[str], width: int = 64, blocks: int = 6, size: int = CROP_SIZE) -> None:
        super().__init__()
        self.learns(labels, size)
        if len(labels) > 2:
            raise ValueError(f"{len(labels)} labels are no pair")
        self.ways = nn.ModuleList(OneWay(width, blocks, 0, size) for _ in labels)

    def way(self, label: int) -> OneWay:
        """Return the generator that paints the emotion ``label``, a place in ``labels``."""
        generator = self.ways[label]
        assert isinstance(generator, OneWay)
        return generator

    def painted(self, picture: Tensor, label: Tensor) -> Tensor:
        """Return ``picture`` with the expressions ``label`` (B,), whatever it shows."""
        pairs = zip(picture.split(1), label.tolist(), strict=True)
        return torch.cat([self.way(int(place)).painted(one) for one, place in pairs])

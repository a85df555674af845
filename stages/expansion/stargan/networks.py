"""The generator of StarGAN: Choi et al., "StarGAN: Unified Generative Adversarial Networks for Multi-Domain
Image-to-Image Translation", CVPR 2018.

Trunk and critic are those of GANimation, whose authors took them over from here: picture and tiled label in, a picture
out. With several data sets the label is one vector a set, of which one is filled, and a mask says which.

What departs: seven emotions at most, the same names in every set (what one set calls anger another need not).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.ganimation.networks import ConditionedTrunk
from singanimation.stages.expansion.labelled import LabelledGenerator

MOST_SETS = 8


class StarGenerator(LabelledGenerator, ConditionedTrunk):
    """Picture and label in, picture out. ``width`` is 64 in the paper.

    ``of_sets`` says of which data set (from 0) each label is drawn: the first that has it.
    """

    def __init__(
        self,
        labels: Sequence[str],
        of_sets: Sequence[int],
        sets: int = 1,
        width: int = 64,
        blocks: int = 6,
        size: int = CROP_SIZE,
    ) -> None:
        if not 1 <= sets <= MOST_SETS:
            raise ValueError(f"{sets} data sets are none of 1 to {MOST_SETS}")
        if len(of_sets) != len(labels) or any(each not in range(sets) for each in of_sets):
            raise ValueError(f"{list(of_sets)} are no data sets of {len(labels)} labels")
        ConditionedTrunk.__init__(self, width, blocks, label_planes(len(labels), sets), size)
        self.learns(labels, size)
        self.sets, self._of_sets = sets, list(of_sets)

    def painted(self, picture: Tensor, label: Tensor) -> Tensor:
        """Return ``picture`` with the expressions ``label`` (B,), each as the first data set that has it shows it."""
        return self.redrawn(picture, label, torch.tensor(self._of_sets, device=label.device)[label])

    def redrawn(self, picture: Tensor, label: Tensor, of_set: Tensor) -> Tensor:
        """Return ``picture`` (B, 3, H, W) with the expressions ``label`` (B,) of the sets ``of_set`` (B,)."""
        condition = masked_labels(label, of_set, len(self.labels or ()), self.sets)
        return torch.tanh(self.colour(self.maps(picture, condition)))


def label_planes(labels: int, sets: int) -> int:
    """Return how many numbers a label takes: one a label and set, and where there are several sets a mask."""
    return labels * sets + (sets if sets > 1 else 0)


def masked_labels(label: Tensor, of_set: Tensor, labels: int, sets: int) -> Tensor:
    """Return (B, planes): the label's one-hot vector at its set's place, zeros at the others', then the mask."""
    vectors = torch.zeros(len(label), sets, labels, device=label.device)
    vectors[torch.arange(len(label), device=label.device), of_set, label] = 1
    mask = F.one_hot(of_set, sets).float()
    return torch.cat([vectors.flatten(1), mask], 1) if sets > 1 else vectors.flatten(1)

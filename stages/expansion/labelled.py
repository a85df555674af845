"""What expanders that go by labels have in common: which emotion a target stands for, and a picture painted whole."""

from collections.abc import Sequence

import torch
from torch import Tensor

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.pipeline.forms import nearest_emotions
from singanimation.stages.expansion.composition import Generator, GeneratorOutput, painted_face, usable_size


class LabelledGenerator(Generator):
    """A generator that knows no action units: a target stands for the emotion whose form is nearest.

    ``labels`` are the emotions that it learnt, in the order of ``EMOTIONS``. The whole picture is painted anew, and of
    that its face is shown (``painted_face``). Raises ValueError for labels or a size that no training of ours gives.
    """

    relative = False

    def learns(self, labels: Sequence[str], size: int) -> None:
        """Take what a constructor was given."""
        known = [name for name in EMOTIONS if name in labels]
        if list(labels) != known or len(known) < 2:
            raise ValueError(f"labels {list(labels)} are no two or more of {', '.join(EMOTIONS)}, in this order")
        self.labels = tuple(known)
        self.size = usable_size(size)

    def painted(self, picture: Tensor, label: Tensor) -> Tensor:
        """Return ``picture`` (B, 3, H, W) in -1..1 with the expressions ``label`` (B,), places in ``labels``."""
        raise NotImplementedError

    def forward(self, picture: Tensor, condition: Tensor) -> GeneratorOutput:
        """Edit ``picture`` (B, 3, H, W) towards ``condition`` (B, 17); raises UsageError for emotions not learnt."""
        return painted_face(picture, self.painted(picture, self.label_of(condition)))

    def label_of(self, condition: Tensor) -> Tensor:
        """Return the place in ``labels`` of the emotion whose form is nearest to each of ``condition`` (B, 17)."""
        labels = self.labels or ()
        names = [EMOTIONS[place] for place in nearest_emotions(condition.float().cpu().numpy())]
        for name in names:
            if name not in labels:
                raise UsageError(f"This expander draws {', '.join(labels)}; it has not learnt {name}.")
        return torch.tensor([labels.index(name) for name in names], device=condition.device)


def places_of(found: Tensor, labels: Sequence[str]) -> Tensor:
    """Return for places in ``EMOTIONS`` (N,) those in ``labels``, -1 for emotions that are not among them."""
    table = torch.full((len(EMOTIONS) + 1,), -1)  # the last is for the unknown, -1
    for place, name in enumerate(labels):
        table[EMOTION_INDEX[name]] = place
    return table[found]

"""A trunk that sees faces, and a head that names their expression."""

import torch
from torch import Tensor, nn

from singanimation.pipeline.expressions import EMOTIONS

_LUMA = (0.299, 0.587, 0.114)


class ExpressionNetwork(nn.Module):
    """Crops -> seven logits in RAF-DB's order.

    ``trunk`` maps (B, 3, 128, 128) in -1..1 to (B, ``channels``, h, w): one that has learnt faces already, so that few
    labelled pictures are enough. All is seen in grey: colour tells sets apart, not expressions.
    """

    def __init__(self, trunk: nn.Module, channels: int, dropout: float = 0.4) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels, len(EMOTIONS)))
        self.register_buffer("luma", torch.tensor(_LUMA)[:, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (B, 7) of ``pictures`` (B, 3, 128, 128) in -1..1."""
        luma = torch.as_tensor(self.luma)
        maps = self.trunk((pictures * luma).sum(1, keepdim=True).expand(-1, 3, -1, -1))
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))

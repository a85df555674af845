"""Encoder, decoder and classifier of expression transfer by an auto-encoder with an adversary on its code.

After Liu & Jin, "Facial expression transfer based on deep learning": an encoder of 4 x 4 convolutions of stride 2
without batch normalisation down to 2 x 2 pixels (seven at 256 px: 8, 16, ... 512 maps), a decoder of nearest-neighbour
up-sampling and convolutions with one label map added at every scale, and a classifier of three dense layers on the
code.

What departs: crops have 128 or 64 pixels, and so six or five convolutions. What number stands for a label in its map
the description does not say: here it is learnt, one for each label and scale. The hidden layers of the classifier have
half the code's numbers, at most 256.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from singanimation.pipeline.face.framing import CROP_SIZE
from singanimation.stages.expansion.labelled import LabelledGenerator

CODE_EDGE = 2
"""Pixels of the code's maps."""


def code_channels(size: int, width: int) -> list[int]:
    """Return the maps after each convolution from ``size`` pixels to 2: ``width``, and twice as many each time."""
    return [width * 2**layer for layer in range(size.bit_length() - 2)]


class Encoder(nn.Module):
    """Picture (B, 3, S, S) -> code (B, C, 2, 2)."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        channels = [3, *code_channels(size, width)]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, 2, 1) for before, after in zip(channels, channels[1:], strict=False)
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Return the code of ``picture`` in -1..1; unbounded."""
        *inner, last = self.layers
        for layer in inner:
            picture = F.leaky_relu(layer(picture), 0.2)
        return last(picture)


class Decoder(nn.Module):
    """Code (B, C, 2, 2) and label (B,) -> picture (B, 3, S, S) in -1..1; at every scale one map says the label."""

    def __init__(self, size: int, width: int, labels: int) -> None:
        super().__init__()
        channels = [*reversed(code_channels(size, width)), 3]
        self.layers = nn.ModuleList(
            nn.Conv2d(before + 1, after, 3, 1, 1) for before, after in zip(channels, channels[1:], strict=False)
        )
        self.label_values = nn.Embedding(labels, len(self.layers))

    def forward(self, code: Tensor, label: Tensor) -> Tensor:
        """Return the picture."""
        values = self.label_values(label)
        for place, layer in enumerate(self.layers):
            code = code if place == 0 else F.leaky_relu(code, 0.2)
            code = F.interpolate(code, scale_factor=2.0)
            said = values[:, place, None, None, None].expand(-1, 1, *code.shape[2:])
            code = layer(torch.cat([code, said], 1))
        return torch.tanh(code)


class CodeClassifier(nn.Sequential):
    """Three dense layers: code (B, C, 2, 2) -> logits (B, labels)."""

    def __init__(self, size: int, width: int, labels: int) -> None:
        numbers = code_channels(size, width)[-1] * CODE_EDGE**2
        hidden = min(numbers // 2, 256)
        super().__init__(
            nn.Flatten(),
            nn.Linear(numbers, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, labels),
        )


class TransferGenerator(LabelledGenerator):
    """Encode, say another label, decode. ``width`` is 8 in the paper."""

    def __init__(self, labels: Sequence[str], width: int = 8, size: int = CROP_SIZE) -> None:
        super().__init__()
        self.learns(labels, size)
        self.encoder = Encoder(size, width)
        self.decoder = Decoder(size, width, len(labels))

    def painted(self, picture: Tensor, label: Tensor) -> Tensor:
        """Return the decoder's picture of the encoder's code, with the expressions ``label`` (B,)."""
        return self.decoder(self.encoder(picture), label)

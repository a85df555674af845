"""The benchmark of Fader Networks: parameters by closed form, codes of one size, labels that reach the decoder."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fader import Training, compare, fader, fader_channels, transfer


def test_the_published_maps_double_from_16_to_512() -> None:
    assert fader_channels(256) == [16, 32, 64, 128, 256, 512, 512]


def test_parameters_are_those_of_the_layers() -> None:
    channels, labels = [16, 32], 3
    encoder = (3 * 16 * 16 + 16) + 2 * 16 + (16 * 32 * 16 + 32) + 2 * 32
    decoder = ((32 + 3) * 16 * 16 + 16) + 2 * 16 + ((16 + 3) * 3 * 16 + 3)
    assert fader(channels, labels).parameters(False) == encoder + decoder
    own = transfer(16, labels)  # 8, 16, 32 maps; a number for each label and scale
    parts = sum((a * b * 16 + b) for a, b in ((3, 8), (8, 16), (16, 32)))
    parts += sum(((a + 1) * b * 9 + b) for a, b in ((32, 16), (16, 8), (8, 3))) + 3 * 3
    assert own.parameters(False) == parts


def test_every_model_learns_the_same_pictures_and_its_labels_matter() -> None:
    torch.manual_seed(0)
    pictures, labels = torch.rand(4, 3, 16, 16) * 2 - 1, torch.tensor([0, 1, 2, 0])
    for model in (fader([8, 16, 16], 3), transfer(16, 3)):
        training = Training(model)
        errors = [training.step(pictures, labels) for _ in range(40)]
        assert errors[-1] < errors[0] and len(training.seconds) == 40
        code = model.encoder(pictures)
        assert not torch.equal(model.decoder(code, labels), model.decoder(code, (labels + 1) % 3))


def test_they_take_turns_and_each_has_its_seconds() -> None:
    found = compare(size=16, steps=2, batch=2, labels=3)
    assert list(found) == ["Fader Networks", "Fader's parts, the other's maps", "transfer"]
    assert all(seconds.shape == (2,) and (seconds > 0).all() for _, seconds in found.values())

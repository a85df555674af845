"""The generator that ships: the geometry's edit at landmarks of its own finding, and the correction of it."""

from typing import cast

import pytest
import torch
from small_training import SMALL_OPTIONS, small_generator
from torch import Tensor, nn

from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.generator import GeometryGenerator
from singanimation.stages.expansion.geometry.landmark_network import LIDS, LandmarkNetwork, landmark_loss


def _picture(count: int) -> Tensor:
    coarse = torch.rand(count, 3, 20, 20, generator=torch.Generator().manual_seed(4))
    return nn.functional.interpolate(coarse, 128, mode="bilinear") * 2 - 1


def _trained(generator: GeometryGenerator) -> GeometryGenerator:
    """Weights that correct something: as they are made, the last layers are 0."""
    for layer in (generator.correct.heads, generator.correct.finish[-1]):
        nn.init.normal_(cast(nn.Conv2d, layer).weight, std=0.05)
    return generator


def test_untrained_it_gives_the_geometrys_own_edit() -> None:
    generator, picture = small_generator(), _picture(3)
    change = torch.zeros(3, 17)
    change[0, 8], change[1, 15], change[2, 16] = 1.0, 1.0, 1.0
    with torch.no_grad():
        output, points = generator(picture, change), generator.landmarks(picture)
        wanted = FaceGeometry().edit((picture + 1) / 2, points, change)
    assert torch.equal(output.flow, wanted.flow)
    difference = (output.picture - (wanted.picture * 2 - 1)).abs()
    assert difference.mean() < 0.005 and difference.max() < 0.2  # half-open masks mix paint and moved skin
    assert (output.picture - picture).abs().mean() > 0.01


def test_no_change_gives_back_the_very_same_picture_whatever_the_weights() -> None:
    generator, picture = _trained(small_generator()), _picture(2)
    change = torch.zeros(2, 17)
    change[1, 8] = 1.0
    output = generator(picture, change)
    assert torch.equal(output.picture[0], picture[0])
    assert (output.attention[0] == 1).all() and (output.flow[0] == 0).all()
    assert not torch.equal(output.picture[1], picture[1])


def test_a_mirrored_picture_has_mirrored_landmarks() -> None:
    generator, picture = small_generator(), _picture(2)
    nn.init.normal_(generator.finder.shape.weight, std=0.5)
    found, mirrored = generator.landmarks(picture), generator.landmarks(picture.flip(3))
    back = mirrored[:, FaceGeometry().mirror] * torch.tensor([-1.0, 1.0]) + torch.tensor([128.0, 0.0])
    torch.testing.assert_close(found, back, rtol=1e-4, atol=1e-3)
    assert not torch.allclose(found, generator.finder(picture), atol=0.1)


def test_small_changes_fade_in() -> None:
    generator, picture = _trained(small_generator()), _picture(1)
    change = torch.zeros(4, 17)
    change[:, 3] = torch.tensor([0.001, 0.01, 0.02, 0.05])
    with torch.no_grad():
        edits = generator(picture.expand(4, -1, -1, -1), change).picture
    far = (edits - picture).abs().mean((1, 2, 3))
    assert far[0] < 0.001 and (far.diff() > 0).all()


def test_the_correction_reaches_every_map_and_never_the_landmarks() -> None:
    generator, plain, picture = _trained(small_generator()), small_generator(), _picture(2)
    change = torch.full((2, 17), 0.3)
    after, before = generator(picture, change), plain(picture, change)
    pairs = ((before.attention, after.attention), (before.colour, after.colour), (before.flow, after.flow))
    assert not any(torch.equal(*pair) for pair in pairs)
    after.picture.mean().backward()
    assert all(parameter.grad is None for parameter in generator.finder.parameters())
    assert generator.correct.stem.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("batch", [1, 5])
def test_each_picture_stands_alone(batch: int) -> None:
    generator, picture = _trained(small_generator()), _picture(5)
    change = torch.linspace(0.1, 0.9, 5)[:, None].expand(5, 17)
    with torch.no_grad():
        together = generator(picture[:batch], change[:batch]).picture[0]
        torch.testing.assert_close(together, generator(picture[:1], change[:1]).picture[0], rtol=1e-4, atol=1e-4)


def test_shapes_are_the_principal_components_of_the_landmarks() -> None:
    torch.manual_seed(1)
    network, directions = LandmarkNetwork(8), torch.randn(3, 478, 2)
    landmarks = 64 + torch.randn(50, 3, 1, 1).mul(directions).sum(1)
    network.learn_shapes(landmarks)
    torch.testing.assert_close(network.mean_shape, landmarks.mean(0) - 64, rtol=1e-4, atol=1e-4)
    flat = (landmarks - landmarks.mean(0)).flatten(1)
    code = torch.linalg.lstsq(network.basis[:3].T, flat.T).solution
    torch.testing.assert_close(code.T @ network.basis[:3], flat, rtol=1e-3, atol=1e-3)
    assert network.basis[3:].abs().max() < 1e-3
    assert code.std(1).tolist() == pytest.approx([1, 1, 1], rel=0.05)


def test_landmarks_of_fewer_faces_than_components_leave_the_rest_empty() -> None:
    network = LandmarkNetwork(8)
    network.learn_shapes(64 + torch.randn(2, 478, 2))
    assert network.basis.isfinite().all() and (network.basis[2:] == 0).all()
    assert network.eval()(torch.zeros(1, 3, 128, 128)).shape == (1, 478, 2)


def test_an_eyelids_error_counts_more_than_a_cheeks() -> None:
    mirror, wanted = FaceGeometry().mirror, torch.zeros(1, 478, 2)
    cheek, lid = wanted.clone(), wanted.clone()
    cheek[0, 50], lid[0, 33] = 1.0, 1.0
    assert landmark_loss(wanted, wanted, mirror) == 0
    ratio = landmark_loss(lid, wanted, mirror) / landmark_loss(cheek, wanted, mirror)
    assert ratio.item() == pytest.approx(LIDS)
    other = wanted.clone()
    other[0, 263] = 1.0  # the same corner of the other eye
    assert landmark_loss(other, wanted, mirror) == landmark_loss(lid, wanted, mirror)


@pytest.mark.parametrize("pair", [(159, 145), (386, 374), (13, 14)])
def test_an_opening_found_too_wide_counts_more_than_one_found_elsewhere(pair: tuple[int, int]) -> None:
    mirror, wanted = FaceGeometry().mirror, torch.zeros(1, 478, 2)
    shifted, parted = wanted.clone(), wanted.clone()
    shifted[0, list(pair)] = 1.0
    parted[0, pair[0]], parted[0, pair[1]] = -1.0, 1.0
    assert landmark_loss(parted, wanted, mirror) > 1.2 * landmark_loss(shifted, wanted, mirror)


def test_options_rebuild_the_same_shapes() -> None:
    state = GeometryGenerator(**SMALL_OPTIONS).state_dict()
    assert {name: value.shape for name, value in small_generator().state_dict().items()} == {
        name: value.shape for name, value in state.items()
    }

import pytest
import torch

from singanimation.stages.ganimation.geometry_generator import GeometryGenerator, PatchDiscriminator, warp
from singanimation.stages.ganimation.networks import PaperDiscriminator, PaperGenerator, compose, initialise


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_paper_generator_has_the_released_codes_number_of_weights() -> None:
    # 53 tensors, 8,471,296 values in the authors' state dict
    generator = PaperGenerator()
    assert _count(generator) == 8_471_296
    assert len(list(generator.parameters())) == 53


def test_paper_critic_maps_a_128_pixel_picture_to_four_patches_and_17_units() -> None:
    realness, units = PaperDiscriminator(width=4)(torch.zeros(1, 3, 128, 128))
    assert realness.shape == (1, 1, 2, 2)
    assert units.shape == (1, 17)


def test_attention_of_one_keeps_the_picture_and_of_zero_takes_the_colour() -> None:
    picture, colour = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), -0.25)
    attention = torch.tensor([[[[1.0, 0.0], [0.5, 1.0]]]])
    composed = compose(picture, attention, colour)[0, 0]
    assert torch.equal(composed, torch.tensor([[0.5, -0.25], [0.125, 0.5]]))


@pytest.mark.parametrize("finish", [0, 8])
def test_no_change_gives_back_the_very_same_picture_whatever_the_weights(finish: int) -> None:
    torch.manual_seed(0)
    generator = GeometryGenerator((8, 8, 8), blocks=1, finish=finish).eval()
    if finish:
        torch.nn.init.normal_(generator.finish[4].weight)
    picture = torch.rand(2, 3, 128, 128) * 2 - 1
    change = torch.zeros(2, 17)
    change[1, 8] = 1.0
    output = generator(picture, change)
    assert torch.equal(output.picture[0], picture[0])
    assert (output.attention[0] == 1).all() and (output.flow[0] == 0).all()
    assert not torch.equal(output.picture[1], picture[1])


def test_small_changes_fade_in_linearly() -> None:
    torch.manual_seed(0)
    generator = GeometryGenerator((8, 8, 8), blocks=1).eval()
    with torch.no_grad():
        generator.embed[0].weight.zero_()  # the network itself no longer sees the change: only the gate is left
        picture = torch.rand(1, 3, 128, 128) * 2 - 1
        change = torch.zeros(3, 17)
        change[:, 3] = torch.tensor([0.01, 0.02, 0.05])
        closed = 1 - generator(picture.expand(3, -1, -1, -1), change).attention
    torch.testing.assert_close(closed[1], 2 * closed[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(closed[2], 5 * closed[0], rtol=1e-4, atol=1e-6)


def test_the_finish_begins_as_no_correction_and_then_corrects_every_map() -> None:
    torch.manual_seed(0)
    plain = GeometryGenerator((8, 8, 8), blocks=1).eval()
    finished = GeometryGenerator((8, 8, 8), blocks=1, finish=8).eval()
    finished.load_state_dict(plain.state_dict(), strict=False)
    picture, change = torch.rand(1, 3, 128, 128) * 2 - 1, torch.ones(1, 17)
    with torch.no_grad():
        before, after = plain(picture, change), finished(picture, change)
        assert torch.equal(before.picture, after.picture)
        torch.nn.init.normal_(finished.finish[4].weight)
        after = finished(picture, change)
    pairs = ((before.attention, after.attention), (before.colour, after.colour), (before.flow, after.flow))
    assert not any(torch.equal(*pair) for pair in pairs)


def test_flow_of_one_pixel_takes_each_pixel_from_its_neighbour() -> None:
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    flow = torch.zeros(1, 2, 4, 4)
    flow[:, 0] = 1.0  # x: from the right
    moved = warp(picture, flow)[0, 0]
    torch.testing.assert_close(moved[:, :3], picture[0, 0, :, 1:], rtol=0, atol=1e-5)
    torch.testing.assert_close(moved[:, 3], picture[0, 0, :, 3], rtol=0, atol=1e-5)  # the border repeats


def test_patch_critic_sees_overlapping_patches() -> None:
    assert PatchDiscriminator(4)(torch.zeros(1, 6, 128, 128)).shape == (1, 1, 32, 32)


def test_initial_weights_follow_the_released_code_and_the_seed() -> None:
    first, second = PaperGenerator(16), PaperGenerator(16)
    initialise(first, torch.Generator().manual_seed(3))
    initialise(second, torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.residuals[0][0].weight.std().item() == pytest.approx(0.02, rel=0.05)

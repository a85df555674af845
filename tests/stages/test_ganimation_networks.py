import pytest
import torch

from singanimation.stages.expansion.composition import compose, painted_face
from singanimation.stages.expansion.ganimation.networks import (
    PaperDiscriminator,
    PaperGenerator,
    critic_layers,
    initialise,
)
from singanimation.stages.expansion.geometry.generator import PatchDiscriminator


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


def test_patch_critic_sees_overlapping_patches() -> None:
    assert PatchDiscriminator(4)(torch.zeros(1, 6, 128, 128)).shape == (1, 1, 32, 32)


def test_initial_weights_follow_the_released_code_and_the_seed() -> None:
    first, second = PaperGenerator(16), PaperGenerator(16)
    initialise(first, torch.Generator().manual_seed(3))
    initialise(second, torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.state_dict()["residuals.0.0.weight"].std().item() == pytest.approx(0.02, rel=0.05)


def test_a_narrow_critic_answers_as_strongly_as_one_of_the_published_width() -> None:
    pictures = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def spread(width: int, share: float) -> float:
        critic = PaperDiscriminator(width, critic_layers(64), 7, 64)
        initialise(critic, torch.Generator().manual_seed(1), share)
        with torch.no_grad():
            return critic(pictures)[1].std().item()

    published = spread(64, 1.0)
    assert published / 3 < spread(16, 16 / 64) < 3 * published
    assert spread(16, 1.0) < published / 8


def test_a_generator_of_64_pixels_keeps_the_crops_own_where_attention_is_1_and_enlarges_what_it_paints() -> None:
    generator = PaperGenerator(8, blocks=1, size=64).eval()
    crop, condition = torch.rand(1, 3, 128, 128) * 2 - 1, torch.rand(1, 17)
    with torch.no_grad():
        small = generator(torch.nn.functional.avg_pool2d(crop, 2), condition)
        done = generator.edits(crop, condition)
    assert done.picture.shape == (1, 3, 128, 128)
    colour, attention = (
        torch.nn.functional.interpolate(part, (128, 128), mode="bilinear") for part in (small.colour, small.attention)
    )
    torch.testing.assert_close(done.picture, attention * crop + (1 - attention) * colour)
    with pytest.raises(ValueError, match="4096 pixels"):
        PaperGenerator(8, size=4096)


def test_of_a_crop_that_is_painted_whole_the_face_is_shown_and_the_surroundings_stay() -> None:
    crop, painted = torch.zeros(2, 3, 128, 128), torch.ones(2, 3, 128, 128)
    done = painted_face(crop, painted)
    assert done.picture[:, :, 24:106, 40:88].eq(1).all() and done.picture[:, :, :10, :20].eq(0).all()
    assert done.picture[:, :, -10:, :20].eq(0).all() and done.flow is None
    torch.testing.assert_close(done.attention, done.attention.flip(3))  # both sides alike
    half = painted_face(crop[:, :, ::2, ::2], painted[:, :, ::2, ::2])
    torch.testing.assert_close(half.attention, torch.nn.functional.avg_pool2d(done.attention, 2), atol=0.03, rtol=0)


def test_a_critic_of_64_pixels_sees_as_many_patches_as_one_of_128() -> None:
    realness, units = PaperDiscriminator(4, critic_layers(64), size=64)(torch.zeros(1, 3, 64, 64))
    assert critic_layers(128) == 6 and realness.shape == (1, 1, 2, 2) and units.shape == (1, 17)

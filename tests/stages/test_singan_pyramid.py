"""Pyramid sizes, starts, resizing, and what noise does to what enters."""

import pytest
import torch
import torch.nn.functional as F

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.diversity import calibrate_gain, damage, diversity
from singanimation.stages.singan.fast.pyramid import fast_sizes
from singanimation.stages.singan.pyramid import pyramid_sizes, resize, start_size
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.start_noise import StartNoise


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (128, (25, 32, 40, 51, 64, 81, 102, 128)),
        (64, (25, 31, 37, 44, 54, 64)),
        (32, (26, 29, 32)),
        (160, (26, 32, 40, 51, 64, 80, 101, 127, 160)),
        (200, (26, 32, 40, 51, 63, 80, 101, 126, 159, 200)),
        (224, (26, 32, 41, 52, 67, 85, 108, 138, 176, 224)),
        (144, (26, 32, 39, 49, 61, 75, 93, 116, 144)),
    ],
)
def test_sizes_are_those_of_the_released_code(size: int, sizes: tuple[int, ...]) -> None:
    assert pyramid_sizes(size) == sizes


@pytest.mark.parametrize(
    ("start", "size", "pixels"), [("N", 128, 25), ("N-1", 128, 32), ("N-2", 128, 40), ("N-2", 64, 37)]
)
def test_start_size_is_the_reference_pyramids(start: str, size: int, pixels: int) -> None:
    assert start_size(start, size) == pixels


@pytest.mark.parametrize("start", ["N-9", "M-1", "N-", "N-x", "n-1", "N1"])
def test_an_unknown_start_is_named(start: str) -> None:
    with pytest.raises(UsageError, match="--start-scale"):
        start_size(start, 128)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 32 pixels, got 24"):
        pyramid_sizes(24)


@pytest.mark.parametrize(("size_in", "size_out"), [(40, 17), (17, 40), (128, 32)])
def test_resizing_equals_torchs_antialiased_bicubic(size_in: int, size_out: int) -> None:
    pictures = _noise(2, 3, size_in, size_in).double() * 0.3
    wanted = F.interpolate(pictures, (size_out, size_out), mode="bicubic", antialias=True)
    torch.testing.assert_close(resize(pictures, size_out), wanted)


def test_resizing_keeps_flat_pictures_flat_and_within_range() -> None:
    torch.testing.assert_close(resize(torch.full((1, 3, 30, 30), 0.25), 77), torch.full((1, 3, 77, 77), 0.25))
    checks = torch.ones(1, 1, 8, 8)
    checks[..., ::2] = -1
    assert resize(checks, 32).abs().max() <= 1


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(32, (32,)), (64, (64,)), (96, (48, 96)), (97, (48, 97)), (128, (64, 128)), (256, (64, 128, 256))],
)
def test_the_fast_pyramid_redraws_in_steps_of_two_down_to_its_later_start(size: int, sizes: tuple[int, ...]) -> None:
    assert fast_sizes(size) == sizes
    assert sizes[0] >= start_size("N-2", size) > start_size("N-1", size)


def test_noise_of_no_gain_changes_nothing_and_more_gain_changes_more() -> None:
    clean = resize(_noise(1, 3, 8, 8), 32)
    changes = []
    for gain in (0.0, 0.3, 1.0):
        noise = EditRandomness([4], "test", clean)
        amount = torch.full((1, 1, 1, 1), gain)
        changed = StartNoise().perturb(clean, StartNoise().draw(amount, noise), amount, noise)
        changes.append(float((changed - clean).abs().mean()))
    assert changes[0] < 1e-5 < changes[1] < changes[2]


def test_diversity_is_zero_for_copies_and_blind_to_fine_grain() -> None:
    edit = resize(_noise(1, 3, 8, 8), 64)
    assert diversity(edit.expand(5, -1, -1, -1), edit) < 1e-6
    grain = (_noise(5, 3, 64, 64) > 0).float() * 0.4 - 0.2
    smooth = resize(_noise(5, 3, 6, 6), 64)
    smooth = smooth * (grain.std() / smooth.std())
    assert diversity(edit * 0.5 + smooth, edit) > 3 * diversity(edit * 0.5 + grain, edit)


def test_diversity_of_unrelated_shades_is_their_deviation_over_the_contrast() -> None:
    edit = torch.cat([torch.ones(1, 3, 32, 16), -torch.ones(1, 3, 32, 16)], 3) * 0.5
    shades = torch.tensor([-0.1, 0.0, 0.1]).view(3, 1, 1, 1).expand(3, 3, 32, 32)
    contrast = float(resize(edit, 8).std())
    assert diversity(shades, edit) == pytest.approx(0.1 / contrast, rel=1e-4)


def test_damage_sees_one_lost_eye() -> None:
    edit = torch.zeros(1, 3, 128, 128)
    edit[..., 40:52, 30:54] = -1
    edit[..., 40:52, 74:98] = -1
    broken = edit.clone()
    broken[..., 40:52, 74:98] = 0
    assert damage(edit, edit) < 1e-6
    assert damage(broken, edit) > 2


def test_calibration_finds_the_gain_and_stays_in_its_range() -> None:
    assert calibrate_gain(lambda gain: 0.4 * gain, 0.1, 1.0) == pytest.approx(0.25, abs=0.02)
    assert calibrate_gain(lambda gain: 0.01 * gain, 0.1, 1.0) == 1.0
    assert calibrate_gain(lambda gain: 0.3, 0.1, 1.0) == pytest.approx(0.02)


def test_smooth_changes_equal_an_interpolation_of_the_net_and_moving_leaves_tint_out() -> None:
    clean = _noise(1, 6, 24, 24) * 0.5
    noise, random = StartNoise(), EditRandomness([1, 2], "x", clean)
    net = noise.draw(torch.full((3, 2, 1, 1), 0.7), random)
    fine = F.interpolate(net.flatten(0, 1), size=(24, 24), mode="bicubic", align_corners=True).view(3, 2, 5, 24, 24)
    tint = fine[:, :, 2:].flatten(1, 2)
    torch.testing.assert_close(noise.apply(clean, net), noise.move(clean, net) + tint, atol=1e-5, rtol=1e-5)

"""A SinGAN of one picture: pyramids of any aspect, training, drawing, and the closed forms of its uses."""

import math
from itertools import islice
from typing import cast

import numpy as np
import pytest
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan.pyramid import pyramid_shapes, pyramid_sizes, resize
from singanimation.stages.singan.tensors import to_tensor
from singanimation.stages.singan.uses import (
    ModelSettings,
    PictureModel,
    animate,
    bicubic,
    blend,
    enlarge,
    inject,
    new_model,
    sample,
    soften_mask,
    train_scales,
)
from singanimation.stages.singan.uses.animation import walk
from singanimation.stages.singan.uses.drawing import reconstruct
from singanimation.stages.singan.uses.enlarging import enlarged_shapes
from singanimation.stages.singan.uses.training import shrink


def _picture(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    """Return smooth blobs of colour, uint8 (height, width, 3)."""
    random = torch.randn((1, 3, 6, 8), generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(random, (height, width), mode="bicubic").clamp(-1, 1)
    return ((smooth[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)


def _trained(**settings: int) -> PictureModel:
    model = new_model(_picture(), ModelSettings(**{"iterations": 2, "kernels": 4} | settings), 56)
    list(train_scales(model))
    return model


@pytest.fixture(scope="module")
def model() -> PictureModel:
    return _trained()


@pytest.mark.parametrize("size", [32, 64, 96, 128, 160, 250])
def test_a_square_has_the_reference_sizes(size: int) -> None:
    assert pyramid_shapes(size, size) == tuple((each, each) for each in pyramid_sizes(size))


def test_the_shorter_side_begins_at_25_and_the_aspect_is_kept() -> None:
    shapes = pyramid_shapes(64, 96)
    assert shapes[0] == (25, 38)
    assert shapes[-1] == (64, 96)
    assert all(math.ceil(1.5 * (h - 1)) <= w <= math.ceil(1.5 * h) for h, w in shapes)


def test_enlarging_goes_in_steps_of_one_ratio() -> None:
    settings = ModelSettings(enlarge=4)
    assert settings.steps() == 6
    assert settings.ratio() == pytest.approx(2 ** (-1 / 3))
    assert settings.shapes(64, 96) == ((51, 77), (64, 96))
    assert ModelSettings(enlarge=3).ratio() ** ModelSettings(enlarge=3).steps() == pytest.approx(1 / 3)


def test_a_rectangle_is_resized_by_its_own_sides() -> None:
    picture = to_tensor(_picture()[None], "cpu")
    wanted = torch.nn.functional.interpolate(picture, size=(23, 71), mode="bicubic", antialias=True).clamp(-1, 1)
    torch.testing.assert_close(resize(picture, (23, 71)), wanted, atol=1e-5, rtol=1e-5)


def test_training_brings_a_scale_nearer_to_the_picture_than_it_began() -> None:
    begun = new_model(_picture(), ModelSettings(iterations=25, kernels=8), 56)
    _, second = islice(train_scales(begun), 2)
    assert second.before is not None
    assert second.error < 0.85 * second.before


def test_a_model_is_told_scale_by_scale() -> None:
    fresh = new_model(_picture(), ModelSettings(iterations=1, kernels=4), 56)
    done = list(train_scales(fresh))
    assert [(each.scale, each.height, each.width) for each in done] == [
        (index, *shape) for index, shape in enumerate(fresh.shapes())
    ]
    assert done[0].before is None
    assert all(each.error > 0 for each in done)
    assert fresh.complete
    assert list(train_scales(fresh)) == []


def test_samples_are_their_seeds_and_have_the_size_asked_for(model: PictureModel) -> None:
    drawn = sample(model, [0, 1])
    assert drawn.shape == (2, 40, 56, 3)
    assert not np.array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(sample(model, [1])[0], drawn[1])
    assert sample(model, [0], shape=(30, 120)).shape == (1, 30, 120, 3)


def test_a_start_after_the_last_scale_would_be_the_reconstruction(model: PictureModel) -> None:
    """With randomness at the finest scale alone, and that scale's sigma nought, a sample is the reconstruction."""
    last, sigma = model.pyramid.scales[model.scales - 1], model.pyramid.scales[model.scales - 1].noise
    last.noise = torch.zeros_like(sigma)
    try:
        drawn = sample(model, [3], start=f"N-{model.scales - 1}")[0]
    finally:
        last.noise = sigma
    made = reconstruct(model, model.scales - 1)
    np.testing.assert_allclose(to_tensor(drawn[None], "cpu"), made.clamp(-1, 1), atol=1 / 127)


def test_what_is_fed_in_without_noise_passes_the_finer_scales_alone(model: PictureModel) -> None:
    picture = _picture(80, 112, seed=4)
    made = inject(model, picture, "N-2", noise=0)
    np.testing.assert_array_equal(made, inject(model, picture, "N-2", seed=9, noise=0))
    assert not np.array_equal(made, inject(model, picture, "N-2", seed=9))
    entering = resize(to_tensor(picture[None], "cpu"), model.shapes()[1])
    for scale in range(2, model.scales):
        padded = torch.nn.functional.pad(resize(entering, model.shapes()[scale]), (5,) * 4)
        entering = model.pyramid.scales[scale].generator(padded, padded)
    np.testing.assert_allclose(to_tensor(made[None], "cpu"), entering.clamp(-1, 1), atol=1 / 127)


def test_enlarging_by_a_scale_that_adds_nothing_is_up_sampling_in_steps() -> None:
    model = _trained(enlarge=4, iterations=0)
    *_, last = model.pyramid.scales[model.scales - 1].generator.layers
    torch.nn.init.zeros_(cast(torch.Tensor, last.weight))
    wanted = to_tensor(model.picture[None], "cpu")
    for shape in enlarged_shapes(model):
        wanted = resize(wanted, shape)
    made = enlarge(model)
    assert made.shape == (160, 224, 3)
    np.testing.assert_allclose(to_tensor(made[None], "cpu"), wanted, atol=1 / 127)
    assert np.abs(made.astype(float) - bicubic(model.picture, (160, 224))).mean() < 2


def test_enlarging_learns_to_make_the_picture_of_itself_one_step_smaller() -> None:
    model = new_model(_picture(), ModelSettings(iterations=30, kernels=8, enlarge=2), 56)
    (done,) = train_scales(model)
    assert list(model.pyramid.scales) == [1] and model.complete
    smaller = resize(to_tensor(model.picture[None], "cpu"), model.shapes()[0])
    levels = (resize(smaller, (40, 56)) - model.pyramid.pictures[1]).square().mean().sqrt() * 127.5
    assert done.before == pytest.approx(float(levels))
    with pytest.raises(UsageError, match="does nothing else"):
        sample(model, [0])


def test_a_walk_bound_to_home_stays_there_and_a_smooth_one_goes_straight(model: PictureModel) -> None:
    home = model.pyramid.optimal_noise[:, :1]
    torch.testing.assert_close(walk(model, 0, 2, 1.0, 0.9, 0)[1], home)
    before, first, second = walk(model, 1, 3, 0.0, 1.0, 0)
    torch.testing.assert_close(first - before, second - first)


def test_scales_coarser_than_the_start_stand_still(model: PictureModel) -> None:
    frames = animate(model, 3, start="N-1")
    assert frames.shape == (3, 40, 56, 3)
    assert not np.array_equal(frames[0], frames[2])
    still = animate(model, 3, start="N-1", alpha=1.0)  # away from home is nothing: no noise at the finer scales
    np.testing.assert_array_equal(still[0], still[2])


def test_a_soft_mask_covers_the_mask_and_dies_out() -> None:
    mask = np.zeros((60, 90), bool)
    mask[20:30, 40:50] = True
    weights = soften_mask(mask)
    assert weights.shape == mask.shape
    assert (weights[mask] == 1).all()
    assert weights[0, 0] == pytest.approx(0, abs=1e-3)
    assert 0 < weights[25, 37] <= 1
    white, black = np.full((60, 90, 3), 255, np.uint8), np.zeros((60, 90, 3), np.uint8)
    np.testing.assert_array_equal(blend(black, white, weights)[..., 0], np.rint(weights * 255))


def test_shrinking_keeps_the_aspect_and_never_enlarges() -> None:
    assert shrink(_picture(100, 200), 50).shape == (25, 50, 3)
    np.testing.assert_array_equal(shrink(_picture(), 500), _picture())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda m: new_model(_picture(20, 300), ModelSettings(), 250), "more than 25"),
        (lambda m: new_model(_picture(1100, 1100), ModelSettings(), 2000), "at most 1024"),
        (lambda m: PictureModel(np.zeros((40, 40)), ModelSettings()), "uint8"),
        (lambda m: ModelSettings(enlarge=0), "--enlarge 0"),
        (lambda m: sample(m, [0], start="N-9"), "N to N-"),
        (lambda m: sample(m, [0], start="finest"), "is no scale"),
        (lambda m: sample(m, [0], start="N-1", shape=(40, 90)), "from N alone"),
        (lambda m: sample(m, [0], shape=(40, 4000)), "out of range"),
        (lambda m: sample(m, [0], shape=(16, 20)), "less than half"),
        (lambda m: inject(m, _picture(), "N"), "takes no picture in"),
        (lambda m: inject(m, _picture(56, 56), "N-1"), "same aspect"),
        (lambda m: enlarge(m), "not trained to enlarge"),
        (lambda m: soften_mask(np.zeros((9, 9), bool)), "black all over"),
        (lambda m: sample(new_model(_picture(), ModelSettings(), 56), [0]), "0 of its"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(model: PictureModel, wrong, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wrong(model)

"""Networks of several edits: what each learns alone it learns among others."""

import pytest
import torch

from singanimation.stages.singan.fast.batches import noise_amplitude
from singanimation.stages.singan.fast.freedom import freedom, given_back
from singanimation.stages.singan.fast.networks import NOISE, FoldedGenerator, layered
from singanimation.stages.singan.fast.positions import CODES, position_code
from singanimation.stages.singan.fast.pyramid import LOUDNESS, FastPyramid, extend
from singanimation.stages.singan.fast.pyramid import pad as fold_pad
from singanimation.stages.singan.fast.start import Start
from singanimation.stages.singan.fast.training import FastRecipe, make_networks, train_pyramid
from singanimation.stages.singan.networks import Critic, Generator, edit_state, initialise, pad, repeat_state
from singanimation.stages.singan.randomness import EditRandomness, make_generator
from singanimation.stages.singan.reference.pyramid import ReferenceRecipe
from singanimation.stages.singan.reference.training import train_reference

SEEDS = (11, 12, 13)


def _targets(size: int = 32) -> torch.Tensor:
    """Three pictures side by side in float64, so that what is left of rounding is far below any learning."""
    values = torch.rand((1, 9, 6, 6), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return torch.nn.functional.interpolate(values * 2 - 1, (size, size), mode="bicubic", align_corners=True).clamp(
        -1, 1
    )


def _last(pyramids):
    *_, pyramid = pyramids
    return pyramid


def _close(together: torch.nn.Module, alone: torch.nn.Module, edit: int) -> None:
    own = edit_state(together, edit, len(SEEDS))
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(own[name], value, rtol=1e-6, atol=1e-8, msg=lambda text, name=name: name + text)


def test_a_generator_sees_eleven_pixels_and_keeps_the_size() -> None:
    network = Generator(1, 4, normalise=False).double()
    initialise(network, [make_generator(0)], 0.2)
    picture = torch.zeros(1, 3, 21, 21, dtype=torch.float64)
    changed = picture.clone()
    changed[..., 10, 10] = 1
    first, second = (network(pad(each), pad(picture)) for each in (picture, changed))
    assert first.shape == picture.shape
    rows = (first != second).any(1)[0].any(1).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (5, 15)


def test_groups_do_not_see_each_other() -> None:
    network = Critic(3, 4, normalise=True)
    initialise(network, [make_generator(seed) for seed in SEEDS], None)
    picture = torch.rand(2, 9, 16, 16)
    other = picture.clone()
    other[:, 3:6] = 0
    before, after = network(picture), network(other)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_weights_of_one_edit_repeat_and_come_back() -> None:
    network = Generator(1, 4, normalise=True)
    initialise(network, [make_generator(5)], None)
    wide = Generator(3, 4, normalise=True)
    wide.load_state_dict(repeat_state(network.state_dict(), 3))
    for edit in range(3):
        for name, value in edit_state(wide, edit, 3).items():
            assert torch.equal(value, network.state_dict()[name]), name


def test_an_edits_random_numbers_do_not_depend_on_its_company() -> None:
    like = torch.zeros(1)
    together, alone = EditRandomness(SEEDS, "x", like), EditRandomness(SEEDS[1:2], "x", like)
    assert torch.equal(together.normal(2, 3, 4, 4)[:, 3:6], alone.normal(2, 3, 4, 4))
    assert torch.equal(together.uniform(5)[:, 1:2], alone.uniform(5))
    assert together.integers(1000)[1] == alone.integers(1000)[0]


def test_a_folded_generator_sees_twenty_two_pixels_and_keeps_the_size() -> None:
    network = FoldedGenerator(1, 4, 2, 0).double()
    initialise(network, [make_generator(0)], 0.2)
    picture = torch.zeros(1, 3, 48, 48, dtype=torch.float64)
    changed = picture.clone()
    changed[..., 24, 24] = 1
    noise = torch.zeros(1, NOISE, 34, 34, dtype=torch.float64)
    first, second = (network(fold_pad(each, 2), noise, None) for each in (picture, changed))
    assert first.shape == picture.shape
    rows = (first != second).any(1)[0].any(1).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (14, 35)


def test_layered_noise_keeps_its_deviation_and_grows_smoother() -> None:
    noise = layered(torch.randn((1, 2 * NOISE, 96, 96), generator=torch.Generator().manual_seed(2)))
    inner = noise[..., 8:-8, 8:-8]
    assert inner.std((2, 3)).sub(1).abs().max() < 0.25
    steps = (inner[..., 1:] - inner[..., :-1]).std((2, 3))[0]
    for edit in (steps[:NOISE], steps[NOISE:]):
        assert edit[0] > edit[1] > edit[2]


def test_the_noise_is_loud_where_there_is_detail_to_draw() -> None:
    detail = torch.zeros(1, 3, 32, 32)
    detail[..., 16:] = 0.1
    amplitude = noise_amplitude(detail, 2)
    assert amplitude.shape == (1, 1, 16, 16)
    free = freedom(16, detail.dtype, detail.device)
    torch.testing.assert_close(amplitude[..., 12], 0.1 * LOUDNESS * free[..., 12])
    assert amplitude[..., :5].max() == 0


def test_eyes_are_less_free_than_the_mouth_and_this_less_than_cheeks_and_get_more_of_their_detail_back() -> None:
    places = {"eye": (45, 42), "mouth": (92, 64), "cheek": (75, 30)}
    like = torch.zeros(1)
    free, back = freedom(128, like.dtype, like.device)[0, 0], given_back(128, 0.6, like.dtype, like.device)[0, 0]
    found = [float(free[place]) for place in places.values()]
    assert found == sorted(found) and found[0] < 0.4 and found[2] > 0.75
    returned = [float(back[place]) for place in places.values()]
    assert returned == sorted(returned, reverse=True) and returned[0] > 0.9
    assert returned[2] == pytest.approx(1 - 0.4 * 0.8**2, abs=0.01)


def test_a_flat_border_stays_flat_when_it_is_extended() -> None:
    assert torch.equal(extend(torch.full((1, 3, 8, 8), 0.7), 2), torch.full((1, 3, 28, 28), 0.7))
    assert float(fold_pad(torch.full((1, 3, 8, 8), 0.7), 2).std()) > 0.1


def test_a_critic_hears_of_the_place() -> None:
    recipe = FastRecipe(kernels=4)
    critic = make_networks(1, recipe, 2, CODES)[1]
    initialise(critic, [make_generator(4)], None)
    pictures = torch.rand(1, 3, 48, 48)
    code = position_code(64, pictures.dtype, pictures.device)[None]
    here, there = (critic(pictures, code[..., row : row + 24, row : row + 24]) for row in (5, 30))
    assert here.shape == (1, 1, 14, 14)
    assert not torch.allclose(here, there)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shipped", [False, True])
def test_fast_training_in_a_batch_equals_training_alone(whole: bool, shipped: bool) -> None:
    recipe = FastRecipe(iterations=5, from_scratch=5, kernels=4, crop=12, pool=4, penalty_every=2)
    start, targets = _start(recipe) if shipped and not whole else None, _targets()
    together = _last(train_pyramid(targets, SEEDS, recipe, whole=whole, start=start))
    for edit in range(3):
        target = targets[:, 3 * edit : 3 * edit + 3]
        alone = _last(train_pyramid(target, SEEDS[edit : edit + 1], recipe, whole=whole, start=start))
        for left, right in zip(together.scales, alone.scales, strict=True):
            _close(left.generator, right.generator, edit)
            _close(left.critic, right.critic, edit)
            torch.testing.assert_close(left.amplitude[:, edit : edit + 1], right.amplitude)


def _start(recipe: FastRecipe) -> Start:
    networks = make_networks(1, recipe, 2, CODES)
    for network in networks:
        initialise(network, [make_generator(4)], None)
    return {128: (networks[0].state_dict(), networks[1].state_dict())}


def test_training_begins_from_the_weights_handed_in() -> None:
    recipe = FastRecipe(iterations=1, learning_rate=0.0, kernels=4, crop=12, pool=2)
    start = _start(recipe)
    (scale,) = _last(train_pyramid(_targets()[:, :3].float(), SEEDS[:1], recipe, whole=False, start=start)).scales
    for name, value in scale.generator.state_dict().items():
        assert torch.equal(value, start[128][0][name]), name


def test_an_edit_taken_out_of_the_batch_draws_what_it_would_alone() -> None:
    recipe = FastRecipe(from_scratch=3, kernels=4, crop=12, pool=4)
    targets = _targets()
    together: FastPyramid = _last(train_pyramid(targets, SEEDS, recipe, whole=False))
    alone = _last(train_pyramid(targets[:, 3:6], SEEDS[1:2], recipe, whole=False))
    gain = targets.new_full((1, 1, 1, 1), 0.5)
    drawn = [each.draw(1, gain, EditRandomness([7], "d", targets), 0.5) for each in (together.alone(1), alone)]
    torch.testing.assert_close(*drawn, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("first", [0, 1])
def test_reference_training_in_a_batch_equals_training_alone(first: int) -> None:
    recipe = ReferenceRecipe(iterations=2, kernels=4)
    targets = _targets()
    together = _last(train_reference(targets, SEEDS, recipe, first))
    for edit in (0, 2):
        alone = _last(train_reference(targets[:, 3 * edit : 3 * edit + 3], SEEDS[edit : edit + 1], recipe, first))
        assert sorted(alone.scales) == list(range(first, 3)), "sizes 26 29 32"
        for scale, right in alone.scales.items():
            _close(together.scales[scale].generator, right.generator, edit)
            _close(together.scales[scale].critic, right.critic, edit)

"""What every engine promises: shapes, determinism, independence, variety, and clear refusals."""

import numpy as np
import pytest
import torch

from singanimation.pipeline.errors import UsageError
from singanimation.stages.singan import ENGINES, make_regenerator
from singanimation.stages.singan.engine import EngineOptions
from singanimation.stages.singan.fast.engine import FastRegenerator
from singanimation.stages.singan.fast.training import FastRecipe
from singanimation.stages.singan.patch import replace_patches
from singanimation.stages.singan.tensors import to_pictures, to_tensor

SIZE = 32
STARTS = ("N", "N-1", "N-2")


def _edits(count: int = 3, size: int = SIZE) -> np.ndarray:
    values = torch.rand((count, 3, 7, 7), generator=torch.Generator().manual_seed(1))
    return to_pictures(torch.nn.functional.interpolate(values * 2 - 1, (size, size), mode="bicubic"))


def _make(engine: str, **options: object):
    return make_regenerator(engine, iterations=2, **options)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_variants_have_the_edits_shape_and_the_same_seed_the_same_bytes(engine: str) -> None:
    edits = _edits(1)
    draws = []
    for _ in range(2):
        torch.manual_seed(np.random.default_rng().integers(1 << 30))  # the global state must not matter
        fitted = _make(engine).fit(edits, [5], STARTS)
        draws.append([fitted.draw(0, start, range(1, 9)) for start in STARTS])
    for first, second in zip(*draws, strict=True):
        assert first.shape == (8, SIZE, SIZE, 3) and first.dtype == np.uint8
        assert np.array_equal(first, second)
        # from N-1 the reference's variants differ by a grey level after two iterations: two of them may be the same
        assert len({picture.tobytes() for picture in first}) > (1 if engine == "reference" else 7)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_variant_does_not_depend_on_how_many_are_drawn_together(engine: str) -> None:
    fitted = _make(engine).fit(_edits(1), [5], ["N-1"])
    many = fitted.draw(0, "N-1", [3, 4, 5, 6])
    assert np.array_equal(fitted.draw(0, "N-1", [5]), many[2:3])


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("warm_start", [True, False])
def test_an_edit_does_not_depend_on_the_others(engine: str, warm_start: bool) -> None:
    edits = _edits(3)
    some = _make(engine, warm_start=warm_start).fit(edits, [1, 2, 3], ["N-2"], wanted=[2])
    alone = _make(engine, warm_start=warm_start).fit(edits[2:], [3], ["N-2"])
    assert np.array_equal(alone.draw(0, "N-2", [9]), some.draw(2, "N-2", [9]))


def test_a_variant_does_not_depend_on_which_other_starts_are_drawn() -> None:
    fits = [_make("fast").fit(_edits(1), [5], starts) for starts in (["N-1"], STARTS)]
    first, second = (fitted.draw(0, "N-1", [1]) for fitted in fits)
    assert np.array_equal(first, second)


def test_a_warm_start_begins_from_the_shipped_weights() -> None:
    drawn = [_make("fast", warm_start=warm).fit(_edits(1), [1], ["N-1"]).draw(0, "N-1", [1]) for warm in (True, False)]
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_the_two_readings_of_downsampling_differ(engine: str) -> None:
    first, second = (
        _make(engine, downsampling=reading).fit(_edits(1), [1], ["N-1"]).draw(0, "N-1", [1])
        for reading in ("injection", "reconstruction")
    )
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("engine", ["fast", "patch", "warp"])
def test_more_noise_gives_more_different_variants(engine: str) -> None:
    spreads = []
    for noise in (0.1, 1.0):
        fitted = _make(engine, noise=noise).fit(_edits(1, 64), [1], ["N-2"])
        spreads.append(fitted.draw(0, "N-2", range(5)).astype(float).std(0).mean())
    assert spreads[1] > 1.5 * spreads[0]


def test_only_engines_that_train_a_gan_say_so() -> None:
    assert {name: make_regenerator(name).is_gan for name in ENGINES} == {
        "fast": True,
        "reference": True,
        "patch": False,
        "warp": False,
    }


def _fast(iterations: int, share: float, noise: float | None = None) -> FastRegenerator:
    recipe = FastRecipe(iterations=iterations, from_scratch=iterations, share=share)
    return FastRegenerator(EngineOptions(noise=noise, warm_start=False), recipe)


def test_training_leaves_the_fast_engine_less_detail_to_give_back() -> None:
    lost = []
    for iterations in (1, 40):
        fitted = _fast(iterations, 1.0).fit(_edits(1, 48), [1], ["N-1"])
        lost.append(float(fitted._pyramids[0, False].lost_detail(1).abs().mean()))
    assert lost[1] < 0.8 * lost[0]


def test_what_a_fast_gan_cannot_rebuild_is_given_back_by_its_share() -> None:
    edit, off = _edits(1), {}
    for share in (0.0, 0.5, 1.0):
        drawn = _fast(2, share, noise=1e-4).fit(edit, [1], ["N-1"]).draw(0, "N-1", [0])[0]
        off[share] = float(np.abs(drawn.astype(float) - edit[0]).mean())
    assert off[1.0] < 2 and off[0.0] > 1.5 * off[0.5] > 1.5 * off[1.0]


def test_a_warp_of_no_noise_is_the_edit_and_of_much_is_not() -> None:
    edit = _edits(1, 64)
    still, moved = (_make("warp", noise=noise).fit(edit, [1], ["N-1"]).draw(0, "N-1", [1])[0] for noise in (1e-6, 1.0))
    assert np.abs(still.astype(int) - edit[0]).max() <= 1
    assert np.abs(moved.astype(int) - edit[0]).mean() > 2


def test_patches_of_the_picture_itself_give_it_back_and_a_shift_is_undone() -> None:
    picture = to_tensor(_edits(1, 40), "cpu")
    torch.testing.assert_close(replace_patches(picture, picture, picture, 2), picture, atol=1e-5, rtol=1e-5)
    moved = torch.roll(picture, (1, -1), (2, 3))
    rebuilt = replace_patches(moved, picture, picture, 2)
    inner = slice(10, 30)
    torch.testing.assert_close(rebuilt[..., inner, inner], moved[..., inner, inner], atol=1e-5, rtol=1e-5)


def test_replaced_patches_equal_a_search_one_by_one() -> None:
    query, value = to_tensor(_edits(2, 12), "cpu").double().chunk(2)
    wanted, count = torch.zeros_like(query), torch.zeros(12, 12)
    for top in range(6):
        for left in range(6):
            patch = query[..., top : top + 7, left : left + 7]
            places = [
                value[..., top + down : top + down + 7, left + right : left + right + 7]
                for down in (-1, 0, 1)
                for right in (-1, 0, 1)
                if 0 <= top + down < 6 and 0 <= left + right < 6
            ]
            best = min(places, key=lambda place: float((place - patch).square().sum()))
            wanted[..., top : top + 7, left : left + 7] += best
            count[top : top + 7, left : left + 7] += 1
    torch.testing.assert_close(replace_patches(query, value, value, 1), wanted / count)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"engine": "slow"}, "--engine: 'slow'"), ({"engine": "fast", "downsampling": "both"}, "--downsampling: 'both'")],
)
def test_unknown_choices_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_regenerator(**options)


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize(
    ("edits", "seeds", "message"),
    [
        (np.zeros((1, 32, 40, 3), np.uint8), [1], "square uint8"),
        (np.zeros((1, 32, 32, 3), np.float32), [1], "square uint8"),
        (np.zeros((2, 32, 32, 3), np.uint8), [1], "one seed per edit"),
        (np.zeros((1, 16, 16, 3), np.uint8), [1], "at least 32 pixels"),
    ],
)
def test_what_cannot_be_regenerated_is_refused(engine: str, edits: np.ndarray, seeds: list[int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_regenerator(engine).fit(edits, seeds, ["N-1"])


@pytest.mark.parametrize("engine", ["fast", "patch", "warp"])
def test_a_flat_picture_is_no_error(engine: str) -> None:
    flat = np.full((1, 32, 32, 3), 90, np.uint8)
    assert _make(engine).fit(flat, [1], ["N-1"]).draw(0, "N-1", [1]).shape == (1, 32, 32, 3)

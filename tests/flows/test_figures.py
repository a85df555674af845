"""`augment figure`: grids have the asked-for size, the same bytes every time, and edits where they belong."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from singanimation.flows.faces import Face
from singanimation.flows.figures.expansion import continuous_grid, discrete_grid, donors_grid, single_grid
from singanimation.flows.figures.grid import Grid, write_grid
from singanimation.flows.figures.losses import losses_figure
from singanimation.flows.figures.regeneration import regeneration_grid
from singanimation.pipeline.errors import UsageError


class Drawn:
    """Pictures whose shade is the target's mean."""

    def __init__(self, targets: np.ndarray) -> None:
        shades = np.rint(255 * targets.mean(1)).astype(np.uint8)
        self.pictures = np.broadcast_to(shades[:, None, None, None], (len(targets), 128, 128, 3))
        self.attention = np.ones((len(targets), 128, 128), np.float32)
        self.colour = self.pictures


class Expander:
    labels: tuple[str, ...] | None = None

    def edit(self, crop: np.ndarray, source: np.ndarray, targets: np.ndarray, *_: object) -> Drawn:
        return Drawn(targets)


class Models:
    expander = Expander()


MODELS: Any = Models()


class Crop:
    pixels = np.zeros((128, 128, 3), np.uint8)
    seen = None


FACE = Face(Path("a.png"), "a", None, Crop(), np.full(17, 0.2, np.float32))  # type: ignore[arg-type]


def shades(pictures: Sequence[np.ndarray | None]) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in pictures if picture is not None]


def test_single_units_rise_along_their_row_and_begin_with_the_source() -> None:
    grid = single_grid(FACE, MODELS, ["AU12", "AU04"])
    assert grid.names == ["AU12", "AU04"] and len(grid.columns) == len(grid.rows[0]) == 6
    for row in grid.rows:
        assert shades(row[:4]) == sorted(shades(row[:4])) and shades(row[:1]) == [51]
        assert row[4].shape == (128, 128) and row[4].min() == 255


def test_several_expanders_have_a_row_each_and_what_one_has_not_learnt_stays_empty() -> None:
    class OfLabels(Expander):
        labels = ("happiness", "neutral")

    several: Any = {"geometry": Expander(), "mine": OfLabels()}
    grid = discrete_grid([FACE, FACE], MODELS, expanders=several)
    assert grid.names == ["geometry", "mine"] * 2 and grid.columns[4] == "happiness"
    first, second, *_ = grid.rows
    assert all(picture is not None for picture in first) and second[0] is None
    assert [place for place, picture in enumerate(second) if picture is not None] == [4, 7]
    assert np.array_equal(first[4], second[4])  # type: ignore[arg-type]


def test_donors_stand_above_and_their_expression_comes_by_landmarks_where_the_expander_follows_them() -> None:
    class ByUnits(Expander):
        follows_landmarks = False

    class ByLandmarks:
        follows_landmarks = True

        def towards(self, crop: np.ndarray, donors: np.ndarray) -> Drawn:
            assert donors.shape == (2, 128, 128, 3)
            return Drawn(np.full((2, 17), 1.0))

    grinning = Face(Path("b.png"), "b", None, Crop(), np.full(17, 0.6, np.float32))  # type: ignore[arg-type]
    several: Any = {"geometry": ByUnits(), "landmarks": ByLandmarks()}
    grid = donors_grid([FACE], [FACE, grinning], several)
    assert grid.names == ["", "geometry", "landmarks"] and grid.rows[0][0] is None and len(grid.rows[0]) == 3
    blinking = (0.2 + 16 * 0.6) / 17  # the blink stays the source's
    assert shades(grid.rows[1][1:]) == [51, round(255 * blinking)]
    assert shades(grid.rows[2][1:]) == [255, 255]


def test_a_path_begins_with_the_source_and_moves_evenly() -> None:
    grid = continuous_grid([FACE, FACE], MODELS, "happiness", 5)
    steps = np.diff(shades(grid.rows[0]))
    assert len(grid.rows) == 2 and grid.columns[-1] == "1.00" and shades(grid.rows[0])[0] == 51
    assert steps.max() - steps.min() <= 1


def test_emotions_stand_beside_the_source() -> None:
    grid = discrete_grid([FACE], MODELS)
    assert grid.columns[0] == "source" and len(grid.rows[0]) == 8 and grid.rows[0][0] is FACE.crop.pixels


def test_regenerations_have_a_row_for_each_engine_and_start() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    grid = regeneration_grid(picture, ["patch"], draws=2, seed=0, size=48)
    assert grid.names == ["patch N", "patch N-1", "patch N-2"] and [len(row) for row in grid.rows] == [3, 3, 3]
    with pytest.raises(UsageError, match="is no engine"):
        regeneration_grid(picture, ["slow"], draws=1, seed=0)


def test_a_figure_has_its_size_and_the_same_bytes(tmp_path: Path) -> None:
    grid = Grid([[np.full((8, 8, 3), 200, np.uint8), None]] * 2, ["a", "b"], ["one", "two"])
    first = write_grid(tmp_path / "a.png", grid, cell=1.0, dpi=100).read_bytes()
    assert write_grid(tmp_path / "b.png", grid, cell=1.0, dpi=100).read_bytes() == first
    with Image.open(tmp_path / "a.png") as image:
        assert image.height == pytest.approx((0.55 + 2 * 1.08) / 2.54 * 100, abs=1)
        assert image.width > 2 * 1.08 / 2.54 * 100
    pdf = write_grid(tmp_path / "a.pdf", grid).read_bytes()
    assert pdf.startswith(b"%PDF") and write_grid(tmp_path / "b.pdf", grid).read_bytes() == pdf
    with pytest.raises(UsageError, match=r"\.png or \.pdf"):
        write_grid(tmp_path / "a.svg", grid)


def test_the_chart_of_losses_has_a_panel_each_and_gaps_where_a_loss_is_no_number() -> None:
    rows = [{"step": "100", "seconds": "1", "pixels": "0.5"}, {"step": "200", "pixels": "nan", "critic": "-2"}]
    first, second = losses_figure(rows).axes
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [100, 200])
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [0.5, np.nan])
    np.testing.assert_array_equal(second.lines[0].get_ydata(), [-2])
    assert second.get_title() == "critic: -2 at 200"


def test_without_matplotlib_a_figure_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"singanimation\[figures\]"):
        write_grid(tmp_path / "a.png", Grid([[None]]))


def test_bad_options_are_one_sentence_before_anything_is_loaded(augment, tmp_path: Path) -> None:
    assert augment("figure", "single", tmp_path / "a.png", "--aus", "AU99")[0] == 2
    assert augment("figure", "continuous", tmp_path / "a.png", "--to", "joyful")[0] == 2
    assert augment("figure", "discrete", tmp_path / "a.png", "--output", tmp_path / "x.gif")[0] == 2
    code, _, err = augment("figure", "discrete", tmp_path / "a.png")
    assert code == 2 and err.endswith("no such file or folder.\n")

"""SIFID: the closed form on known Gaussians, the filter, and the features' layers."""

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.stages.sifid import THRESHOLDS, SifidFilter, frechet_distance, make_filter
from singanimation.stages.sifid.inception import InceptionStem
from singanimation.stages.sifid.trials import calibrate

if TYPE_CHECKING:
    from torchvision.models import Inception3


def _gaussian(mean: list[float], covariance: list[list[float]]) -> np.ndarray:
    """Return points whose sample mean and covariance are exactly those asked for."""
    points = np.random.default_rng(0).normal(size=(500, len(mean)))
    points -= points.mean(0)
    points = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    return points @ np.linalg.cholesky(np.array(covariance)).T + mean


def test_the_distance_of_two_gaussians_with_diagonal_covariances_is_the_closed_form() -> None:
    first = _gaussian([1.0, 2.0], [[4.0, 0], [0, 9.0]])
    second = _gaussian([0.0, 4.0], [[1.0, 0], [0, 25.0]])
    assert frechet_distance(first, second) == pytest.approx((1 + 4) + (2 - 1) ** 2 + (3 - 5) ** 2)


def test_the_distance_equals_the_matrix_square_root_for_any_covariance() -> None:
    from scipy.linalg import sqrtm

    one, two = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    wanted = np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet_distance(_gaussian([0, 0], one.tolist()), _gaussian([0, 0], two.tolist())) == pytest.approx(wanted)


def test_equal_and_flat_features_have_distance_zero_not_nan() -> None:
    points = _gaussian([0, 0], [[1, 0], [0, 2]])
    assert frechet_distance(points, points[::-1]) == pytest.approx(0, abs=1e-9)
    flat = np.ones((50, 8))
    assert frechet_distance(flat, flat) == 0
    assert frechet_distance(flat, flat * 3) == pytest.approx(8 * 4)


def test_the_distance_is_symmetric() -> None:
    first, second = _gaussian([0, 1], [[1, 0.5], [0.5, 2]]), _gaussian([1, 0], [[3, 0], [0, 1]])
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))


@pytest.mark.parametrize("features", [np.zeros(4), np.zeros((1, 4))])
def test_features_that_have_no_covariance_are_refused(features: np.ndarray) -> None:
    with pytest.raises(UsageError, match="two positions"):
        frechet_distance(features, features)


@pytest.mark.parametrize(("channels", "positions"), [(64, 61 * 61), (192, 28 * 28)])
def test_the_stem_gives_one_vector_per_position(channels: int, positions: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    assert InceptionStem.random(channels)(pictures).shape == (2, positions, channels)


def test_the_stem_equals_torchvisions_inception(tmp_path) -> None:
    from torchvision.models import inception_v3

    whole = inception_v3(weights=None, init_weights=False, aux_logits=False, transform_input=False).eval()
    torch.save(whole.state_dict(), tmp_path / "inception.pth")
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    values = torch.from_numpy(picture).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        early = whole.Conv2d_2b_3x3(whole.Conv2d_2a_3x3(whole.Conv2d_1a_3x3(values)))
        late = whole.Conv2d_4a_3x3(whole.Conv2d_3b_1x1(whole.maxpool1(early)))
    for channels, wanted in ((64, early), (192, late)):
        stem = InceptionStem.load(channels, tmp_path / "inception.pth")
        assert stem.name == f"inception-{channels}"
        np.testing.assert_allclose(stem(picture)[0], wanted[0].flatten(1).T, rtol=1e-4, atol=1e-5)


@pytest.fixture
def no_weights(tmp_path, monkeypatch) -> None:
    """No Inception weights anywhere: neither named, nor fetched, nor in torch's own cache."""
    monkeypatch.delenv("SINGANIMATION_INCEPTION", raising=False)
    monkeypatch.setenv("SINGANIMATION_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture(scope="module")
def inception() -> "Inception3":
    """Return torchvision's whole Inception-v3 with random weights and BatchNorm statistics other than 0 and 1."""
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=True)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.2, 0.5)
    return network.eval()


def _plain_sifid(network: "Inception3", channels: int, first: np.ndarray, second: np.ndarray) -> float:
    """SIFID as SinGAN's paper defines it, by torchvision's own layers, input and the product's eigenvalues."""
    moments = []
    for picture in (first, second):
        values = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
        values = network._transform_input((values - mean) / deviation)
        with torch.inference_mode():
            for name, layer in network.named_children():
                if name == {64: "maxpool1", 192: "maxpool2"}[channels]:
                    break
                values = layer(values)
        assert values.shape[1] == channels
        points = values[0].flatten(1).double().numpy()
        moments.append((points.mean(1), np.cov(points)))
    (mean_1, cov_1), (mean_2, cov_2) = moments
    shared = np.sqrt(np.clip(np.linalg.eigvals(cov_1 @ cov_2).real, 0, None)).sum()
    return float(((mean_1 - mean_2) ** 2).sum() + np.trace(cov_1) + np.trace(cov_2) - 2 * shared)


@pytest.mark.parametrize("channels", [64, 192])
def test_with_weights_sifid_equals_a_plain_recomputation_with_torchvisions_network(
    channels: int, inception: "Inception3", no_weights: None, tmp_path, monkeypatch
) -> None:
    from skimage.data import astronaut

    torch.save(inception.state_dict(), tmp_path / "inception.pth")
    monkeypatch.setenv("SINGANIMATION_INCEPTION", str(tmp_path / "inception.pth"))
    edit = astronaut()[60:188, 160:288]
    variants = np.stack([np.roll(edit, 7, axis=1), 255 - edit, np.clip(edit.astype(int) + 9, 0, 255).astype(np.uint8)])
    sifid = make_filter(f"inception-{channels}", _pixels, 1.0)
    wanted = [_plain_sifid(inception, channels, edit, variant) for variant in variants]
    np.testing.assert_allclose(sifid.measure(edit, variants), wanted, rtol=1e-4)
    assert min(wanted) > 1e-3  # divided by 255 twice, they would be 65,025 times smaller


@pytest.mark.parametrize("channels", [64, 192])
def test_sifid_of_flat_pictures_is_a_number(
    channels: int, inception: "Inception3", no_weights: None, tmp_path, monkeypatch
) -> None:
    torch.save(inception.state_dict(), tmp_path / "inception.pth")
    monkeypatch.setenv("SINGANIMATION_INCEPTION", str(tmp_path / "inception.pth"))
    flat = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (0, 128, 255)])
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    values = make_filter(f"inception-{channels}", _pixels, 1.0).measure(flat[1], np.concatenate([flat, noise[None]]))
    assert np.isfinite(values).all() and values[1] == 0 and (values[[0, 2, 3]] > 0).all()


def test_auto_takes_inception_where_its_weights_were_fetched_or_named_and_not_by_chance(
    inception: torch.nn.Module, no_weights: None, tmp_path, monkeypatch
) -> None:
    by_chance = tmp_path / "torch/hub/checkpoints/inception_v3_google-0cc3c7bd.pth"
    by_chance.parent.mkdir(parents=True)
    torch.save(inception.state_dict(), by_chance)
    assert make_filter("auto", _pixels).name == "embedded"
    assert make_filter("inception-64", _pixels).name == "inception-64"
    monkeypatch.setenv("SINGANIMATION_INCEPTION", str(by_chance))
    assert make_filter("auto", _pixels).name == "inception-64"


def test_wrong_or_missing_inception_weights_are_named(no_weights: None, tmp_path) -> None:
    with pytest.raises(WeightsError, match="weights inception-v3 are not here.*SINGANIMATION_INCEPTION"):
        InceptionStem.load(64)
    with pytest.raises(WeightsError, match="no file"):
        InceptionStem.load(64, tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        InceptionStem.load(64, tmp_path / "text.pth")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no Inception-v3"):
        InceptionStem.load(64, tmp_path / "other.pth")


def _pixels(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1, 3).astype(np.float32)


def test_the_filter_measures_each_variant_and_accepts_up_to_its_threshold() -> None:
    edit = np.random.default_rng(0).integers(0, 200, (8, 8, 3), np.uint8)
    values = SifidFilter("pixels", _pixels, 50.0).measure(edit, np.stack([edit, edit + 4, edit + 40]))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [0, 48, 4800], atol=1e-3)
    assert SifidFilter("pixels", _pixels, 50.0).accepts(values).tolist() == [True, True, False]
    assert not SifidFilter("pixels", _pixels, 50.0).accepts(np.array([np.nan])).any()
    assert SifidFilter("pixels", _pixels, 50.0).measure(edit, np.zeros((0, 8, 8, 3), np.uint8)).shape == (0,)


def test_a_relative_sifid_does_not_depend_on_contrast_and_is_one_for_the_flat_mean() -> None:
    edit = np.random.default_rng(0).integers(0, 80, (8, 8, 3)).astype(np.uint8) * 2
    changed = np.roll(edit, 4, axis=0) // 2
    mean = np.broadcast_to(np.rint(edit.mean((0, 1))).astype(np.uint8), edit.shape)
    sifid = SifidFilter("pixels", _pixels, 1.0, relative=True)
    full, half = sifid.measure(edit, np.stack([changed, mean])), sifid.measure(edit // 2, (changed // 2)[None])
    assert half[0] == pytest.approx(full[0], rel=0.05)
    assert full[1] == pytest.approx(1, abs=0.01)
    assert np.isfinite(sifid.measure(mean, edit[None])).all() and sifid.measure(mean, mean[None])[0] == 0


def test_the_choice_of_features_is_resolved_and_overridable(no_weights: None) -> None:
    chosen = make_filter("auto", _pixels)
    assert (chosen.name, chosen.threshold) == ("embedded", THRESHOLDS["embedded"])
    assert make_filter("embedded", _pixels, 3.5).threshold == 3.5
    with pytest.raises(UsageError, match="--sifid-features: 'best'"):
        make_filter("best", _pixels)
    with pytest.raises(WeightsError, match="inception-64"):
        make_filter("inception-64", _pixels)


def test_calibration_parts_what_can_be_parted_and_says_what_cannot() -> None:
    bad, mild = {"a": np.array([4.0, 5, 6, 7])}, {"b": np.array([0.1, 0.2, 0.3, 1.0])}
    found = calibrate(bad, mild)
    assert 1 < found.threshold < 4
    assert (found.rejected, found.accepted) == ({"a": 1.0}, {"b": 1.0})
    mixed = calibrate(bad, {"b": np.array([0.1, 0.2, 0.3, 5.5])})
    assert mixed.accepted["b"] == 0.75


def test_features_without_a_known_threshold_need_one() -> None:
    with pytest.raises(UsageError, match="--sifid-max"):
        make_filter("inception-192", _pixels)


def test_without_torchvision_inception_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models.inception", None)
    with pytest.raises(UsageError, match=r"singanimation\[torchvision\]"):
        InceptionStem.random(64)

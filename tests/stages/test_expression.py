"""The expression judge: it learns what is there to see, holds people out, and is kept in a file."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.expressions import EMOTION_INDEX, EMOTIONS
from singanimation.stages.expression import ExpressionJudge, ExpressionPictures, train_expression
from singanimation.stages.expression.judge import recalls
from singanimation.stages.expression.network import ExpressionNetwork
from singanimation.stages.expression.training import FEWEST, hold_out, learnt_classes, varied


def small_trunk() -> tuple[nn.Module, int]:
    torch.manual_seed(0)
    layers = [nn.AvgPool2d(8), nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers), 12


def drawn(count: int, seed: int) -> ExpressionPictures:
    """Grey noise, bright over most of it (happiness) or not (neutral)."""
    random = np.random.default_rng(seed)
    crops = random.integers(90, 130, (count, 128, 128, 3)).astype(np.uint8)
    smiling = np.arange(count) % 2 == 0
    crops[smiling, 40:] += 90
    labels = np.where(smiling, EMOTION_INDEX["happiness"], EMOTION_INDEX["neutral"])
    return ExpressionPictures(crops, labels, np.array([f"p{index // 3}" for index in range(count)]))


@pytest.fixture(scope="module")
def judge() -> ExpressionJudge:
    network = ExpressionNetwork(*small_trunk(), dropout=0.1)
    for _ in train_expression(network, drawn(40, 0), steps=150, batch=16, seed=1):
        pass
    return ExpressionJudge(network, ("happiness", "neutral"), {"input": "drawn"}, "", "cpu")


def test_it_learns_what_is_there_to_see_and_judges_others(judge: ExpressionJudge) -> None:
    others = drawn(20, 5)
    shares = judge(others.crops)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert (np.delete(shares, [EMOTION_INDEX["happiness"], EMOTION_INDEX["neutral"]], 1) == 0).all()
    found = recalls(shares, others.labels)
    assert found["happiness"][0] >= 0.9 and found["neutral"][0] >= 0.9 and found["neutral"][1] == 10


def test_two_emotions_are_compared_where_both_were_learnt(judge: ExpressionJudge) -> None:
    smile = drawn(1, 9).crops[0]
    compared = judge.compare(smile, "neutral", "happiness")
    assert compared is not None and compared[1] > compared[0] > 0
    assert judge.compare(smile, "fear", "happiness") is None
    assert judge.compare(smile, "neutral", "neutral") is None


def test_a_crops_figures_do_not_hang_on_its_neighbours(judge: ExpressionJudge) -> None:
    crops = drawn(5, 3).crops
    np.testing.assert_array_equal(judge(crops)[3], judge(crops[3:4])[0])


def test_it_is_kept_in_a_file_with_its_card(judge: ExpressionJudge, tmp_path) -> None:
    path = tmp_path / "judge.safetensors"
    digest = judge.save(path)
    again = ExpressionJudge.load(path, small_trunk)
    assert (again.digest, again.classes, again.card["input"]) == (digest, judge.classes, "drawn")
    crops = drawn(4, 7).crops
    np.testing.assert_allclose(again(crops), judge(crops), atol=0.01)


def test_files_that_are_none_are_named(judge: ExpressionJudge, tmp_path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        ExpressionJudge.load(tmp_path / "absent.safetensors", small_trunk)
    (tmp_path / "text.safetensors").write_text(json.dumps({}))
    with pytest.raises(WeightsError, match="cannot be read"):
        ExpressionJudge.load(tmp_path / "text.safetensors", small_trunk)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no expression judge"):
        ExpressionJudge.load(tmp_path / "other.safetensors", small_trunk)
    judge.save(tmp_path / "judge.safetensors")
    with pytest.raises(WeightsError, match="does not fit"):
        ExpressionJudge.load(tmp_path / "judge.safetensors", lambda: (nn.Identity(), 3))


def test_people_are_held_out_whole() -> None:
    people = np.repeat([f"p{index}" for index in range(20)], 3)
    held = hold_out(people, 0.25, 4)
    assert held.sum() == 15 and not set(people[held]) & set(people[~held])
    np.testing.assert_array_equal(held, hold_out(people, 0.25, 4))


def test_classes_with_too_few_pictures_are_not_learnt() -> None:
    labels = np.repeat([3, 6, 1], [FEWEST, FEWEST + 5, FEWEST - 1])
    assert learnt_classes(labels) == (3, 6)
    with pytest.raises(TrainingError, match="fear 11, happiness 12"):
        learnt_classes(np.repeat([3, 1], [FEWEST, FEWEST - 1]))


def test_training_is_its_seeds() -> None:
    weights = []
    for seed in (1, 1, 2):
        network = ExpressionNetwork(*small_trunk())
        list(train_expression(network, drawn(26, 0), steps=2, batch=4, seed=seed))
        weights.append(network.state_dict()["head.1.weight"].numpy())
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_pictures_are_varied_within_bounds() -> None:
    pictures = torch.zeros(6, 3, 128, 128)
    pictures[:, :, 60:70, 60:70] = 1
    views = varied(pictures, np.random.default_rng(3))
    assert views.shape == pictures.shape and views.abs().max() <= 1.5
    assert len({round(float(view.mean()), 4) for view in views}) == 6
    assert len(EMOTIONS) == 7

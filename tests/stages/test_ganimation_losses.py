import pytest
import torch

from singanimation.stages.expansion.training.losses import (
    attention_target_loss,
    gradient_penalty,
    laplacian_l1,
    r1_penalty,
    region_weights,
    total_variation,
)


def test_gradient_penalty_of_a_linear_critic_is_its_closed_form() -> None:
    weights = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)  # |gradient| = 5 everywhere
    real, fake = torch.randn(4, 1, 1, 2), torch.randn(4, 1, 1, 2)
    penalty = gradient_penalty(lambda x: (x * weights).flatten(1).sum(1), real, fake, torch.rand(4, 1, 1, 1))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)


def test_gradient_penalty_survives_a_zero_gradient() -> None:
    scale = torch.zeros(1, requires_grad=True)
    real = torch.randn(2, 1, 4, 4)
    penalty = gradient_penalty(lambda x: (x * scale).flatten(1).sum(1), real, -real, torch.full((2, 1, 1, 1), 0.5))
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    assert scale.grad is not None and torch.isfinite(scale.grad).all()


def test_r1_penalty_of_a_linear_critic_is_its_squared_gradient() -> None:
    weights = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    assert r1_penalty(lambda x: x * weights, torch.randn(4, 1, 1, 2)).item() == pytest.approx(25.0)


def test_total_variation_counts_steps_in_both_directions() -> None:
    mask = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    assert total_variation(mask).item() == pytest.approx(1.0)


def test_laplacian_loss_is_blind_to_a_constant_shift_and_sees_an_edge() -> None:
    picture = torch.rand(1, 3, 32, 32)
    assert laplacian_l1(picture + 0.25, picture).item() == pytest.approx(0.0, abs=1e-6)
    assert laplacian_l1(picture.flip(3), picture).item() > 0.1


def test_regions_that_must_change_count_up_to_nineteenfold() -> None:
    source = torch.zeros(1, 3, 32, 32)
    nothing, everything = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    assert (region_weights(source, source, nothing, nothing) == 1).all()
    middle = region_weights(source, source + 1, everything, everything)[0, 0, 16, 16]
    assert middle.item() == pytest.approx(1 + 6 + 4 + 8)


def test_attention_loss_asks_to_open_where_paint_is_needed() -> None:
    paint, where = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 1, 1)
    open_, shut = torch.full_like(paint, 0.01), torch.full_like(paint, 0.99)
    none = torch.zeros_like(paint)
    assert attention_target_loss(open_, paint, none, where) < 0.1 < attention_target_loss(shut, paint, none, where)
    assert attention_target_loss(shut, paint, none, torch.zeros(1, 1, 1, 1)).item() == 0
    # painted whole: (1 + 2 + 12) / (1 + 2) of the same error, and no more where nothing is painted
    whole = attention_target_loss(shut, paint, paint, where) / attention_target_loss(shut, paint, none, where)
    assert whole.item() == pytest.approx(5, rel=0.01)

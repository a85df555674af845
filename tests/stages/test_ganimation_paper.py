"""`--recipe paper` term by term: fixed numbers, worked out by hand from the paper and its authors' released code."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from small_training import made_up_faces
from torch import Tensor, nn

from singanimation.stages.expansion.ganimation.recipe import PaperObjective
from singanimation.stages.expansion.ganimation.terms import (
    attention_loss,
    critic_terms,
    generator_terms,
    penalty_term,
    targets,
    total,
    units_loss,
    variation_loss,
)
from singanimation.stages.expansion.training.loop import learning_rate_at, train
from singanimation.stages.expansion.training.settings import PaperTerms, TrainSettings, paper_steps

PAPER = PaperTerms()


def test_the_attention_term_is_a_tenth_of_the_mean_and_pulls_a_down() -> None:
    attention = torch.tensor([0.25, 0.75]).view(1, 1, 1, 2).requires_grad_(True)
    loss = attention_loss(attention, PAPER)
    loss.backward()
    assert loss.item() == pytest.approx(0.1 * 0.5)
    assert attention.grad is not None and (attention.grad > 0).all()  # a step against the gradient lowers A


def test_variation_is_summed_over_pixels_and_batch() -> None:
    mask = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    assert variation_loss(mask, PAPER).item() == pytest.approx(1e-5 * 2)
    assert variation_loss(mask.repeat(3, 1, 1, 1), PAPER).item() == pytest.approx(1e-5 * 6)


@pytest.mark.parametrize(("batch", "weight"), [(25, 160.0), (4, 1000.0), (1, 4000.0)])
def test_the_units_weigh_4000_divided_by_the_batch(batch: int, weight: float) -> None:
    wanted = torch.zeros(batch, 17)
    assert units_loss(wanted + 0.5, wanted, PAPER).item() == pytest.approx(weight * 0.25)


def test_the_critics_losses_are_wasserstein_and_the_units_of_real_pictures() -> None:
    real = torch.full((2, 1, 2, 2), 3.0), torch.full((2, 17), 0.25)
    found = critic_terms(real, torch.full((2, 1, 2, 2), -1.0), torch.full((2, 17), 0.75), PAPER)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {"real": -3.0, "fake": -1.0, "units": 2000 * 0.25}
    )
    assert total(found).item() == pytest.approx(496.0)


def test_the_penalty_is_ten_times_the_squared_distance_of_the_gradients_norm_from_1() -> None:
    weights = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    real, fake = torch.zeros(2, 1, 1, 2), torch.ones(2, 1, 1, 2)
    found = penalty_term(lambda x: x * weights, real, fake, torch.full((2, 1, 1, 1), 0.5), PAPER)
    assert found["penalty"].item() == pytest.approx(10 * (5 - 1) ** 2)


def test_the_generators_terms_weigh_both_passes() -> None:
    picture = torch.zeros(2, 3, 2, 2)
    first = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(2, 1, 2, 2)  # mean 0.5, two steps a picture
    second = torch.full((2, 1, 2, 2), 0.25)
    judged = torch.full((2, 1, 2, 2), 2.0), torch.full((2, 17), 0.1)
    found = generator_terms(
        picture, (first, picture + 1), (second, picture + 0.5), judged, torch.full((2, 17), 0.3), PAPER
    )
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {
            "fake": -2.0,
            "units": 2000 * 0.04,
            "cycle": 10 * 0.5,
            "attention": 0.1 * (0.5 + 0.25),
            "variation": 1e-5 * 4,
        },
        rel=1e-5,
    )


def test_targets_may_leave_0_to_1_unless_asked_not_to() -> None:
    others, noise = torch.tensor([[0.0, 1.0, 0.5]]), torch.tensor([[-1.0, 1.0, 0.5]])
    assert targets(others, noise, PAPER).tolist()[0] == pytest.approx([-0.1, 1.1, 0.55])
    assert targets(others, noise, replace(PAPER, clamp_targets=True)).tolist()[0] == pytest.approx([0.0, 1.0, 0.55])


def test_the_rate_is_constant_for_20_of_30_epochs_and_falls_by_a_tenth_with_each_of_the_last_ten() -> None:
    rates = [learning_rate_at(epoch / 30, 0, 1e-4, "paper") for epoch in range(31)]
    assert rates[:21] == pytest.approx([1e-4] * 21)
    assert rates[21:] == pytest.approx([1e-4 * share / 10 for share in range(9, -1, -1)])
    assert learning_rate_at(20.9 / 30, 0, 1.0, "paper") == 1.0  # within an epoch nothing changes


def test_the_recipes_own_settings_are_the_papers_and_the_shipped_ones() -> None:
    paper, shipped = TrainSettings.for_recipe("paper"), TrainSettings.for_recipe("geometry")
    assert (paper.batch_size, paper.learning_rate, paper.average, paper.schedule) == (25, 1e-4, 0.0, "paper")
    assert paper.paper == PaperTerms(4000, 10, 10, 0.1, 1e-5, 5, 0.1, False, False)
    assert shipped == TrainSettings() and TrainSettings.for_recipe("paper", batch_size=4, steps=None).batch_size == 4
    assert paper_steps(2500, 25, PAPER) == 30 * 100 // 5 and paper_steps(3, 25, PAPER) == 6


def _moves(terms: PaperTerms) -> list[str]:
    """Return which optimiser moved, in order, in one step of a small training."""
    objective = PaperObjective(
        TrainSettings.for_recipe("paper", batch_size=2, width=0.13, paper=terms), made_up_faces()
    )
    moved: list[str] = []
    for name, optimiser in (("critic", objective._critic_optimiser), ("generator", objective._generator_optimiser)):
        setattr(optimiser, "step", partial(moved.append, name))  # noqa: B010 - an optimiser's step is typed
    objective.step(torch.Generator().manual_seed(0), 1e-4, 0.0)
    return moved


def test_the_critic_takes_two_steps_a_batch_and_the_generator_moves_after_five_batches() -> None:
    assert _moves(PAPER) == ["critic", "critic"] * 5 + ["generator"]
    assert _moves(replace(PAPER, joint_critic=True, critic_steps=3)) == ["critic"] * 3 + ["generator"]


def test_faces_come_in_shuffled_epochs() -> None:
    objective = PaperObjective(TrainSettings.for_recipe("paper", batch_size=1, width=0.13), made_up_faces())
    random = torch.Generator().manual_seed(3)
    drawn = [int(objective._next(random)) for _ in range(9)]
    assert all(sorted(drawn[start : start + 3]) == [0, 1, 2] for start in (0, 3, 6))


def test_without_an_average_the_last_weights_are_what_is_saved() -> None:
    settings = TrainSettings.for_recipe("paper", batch_size=2, width=0.13, steps=2)
    objective = PaperObjective(settings, made_up_faces())
    last = list(train(settings, objective))[-1]
    for saved, trained in zip(last.generator.parameters(), objective.generator.parameters(), strict=True):
        assert torch.equal(saved, trained)


class _Attention(nn.Module):
    """A generator that is its attention alone: one number, of which the mean is kept or lowered."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(1.5))

    def forward(self) -> Tensor:
        return torch.sigmoid(self.level).expand(2, 1, 4, 4)


def test_trained_on_the_attention_term_alone_a_leaves_1() -> None:
    network = _Attention()
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    before = network().mean().item()
    for _ in range(30):
        optimiser.zero_grad()
        attention_loss(network(), PAPER).backward()
        optimiser.step()
    assert network().mean().item() < before - 0.2

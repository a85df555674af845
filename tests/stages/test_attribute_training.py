"""A training of the attribute networks: each half moves its own network, it resumes, its pairs are what they say."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from small_training import made_up_faces

from singanimation.pipeline.errors import TrainingError
from singanimation.pipeline.expressions import ATTRIBUTES
from singanimation.stages.expansion.attributes.objective import AttributeObjective
from singanimation.stages.expansion.attributes.registration import Registration
from singanimation.stages.expansion.attributes.settings import AttributeSettings
from singanimation.stages.expansion.training.loop import train

SMALL = AttributeSettings(attributes=ATTRIBUTES, steps=4, batch_size=4, width=0.2, seed=3)


def objective(settings: AttributeSettings = SMALL) -> AttributeObjective:
    return AttributeObjective(settings, made_up_faces(), np.zeros((3, len(settings.attributes)), np.int8))


@pytest.mark.parametrize("done", [0.0, 0.9])
def test_steps_on_the_same_pairs_lower_their_loss(done):
    training = objective(dataclasses.replace(SMALL, learning_rate=0.2))  # a fortieth of it at the first step
    losses = []
    for _ in range(10):
        terms = training.step(torch.Generator().manual_seed(1), 0.0, done)
        losses.append(sum(terms[name] for name in terms if name.endswith(("_pixels", "_mask"))))
    assert losses[-1] < 0.95 * losses[0]


def test_each_half_of_a_training_moves_its_own_network():
    training = objective()
    before = {name: value.clone() for name, value in training.generator.state_dict().items()}
    training.step(torch.Generator().manual_seed(1), 1e-3, 0.1)
    moved = {
        name.split(".")[0] for name, value in training.generator.state_dict().items() if (value != before[name]).any()
    }
    assert moved == {"remove"}
    training.step(torch.Generator().manual_seed(1), 1e-3, 0.95)
    moved = {
        name.split(".")[0] for name, value in training.generator.state_dict().items() if (value != before[name]).any()
    }
    assert moved == {"remove", "carry"}


@pytest.mark.parametrize(("steps", "stop"), [(4, 2), (12, 11)])
def test_a_training_goes_on_where_it_stopped(steps, stop):
    settings = dataclasses.replace(SMALL, steps=steps)
    whole = list(train(settings, objective()))
    first = objective()
    for progress in train(settings, first):
        if progress.step == stop:
            state = progress.state
            break
    state = torch.load(_saved(state), weights_only=True)
    rest = list(train(settings, objective(), state))
    for name, value in rest[-1].generator.state_dict().items():
        torch.testing.assert_close(value, whole[-1].generator.state_dict()[name])


def test_landmarks_lead_as_exactly_in_a_training_of_few_bits():
    registration = Registration()
    mean = registration.mean_pixels()[None]
    turned = mean @ torch.tensor([[0.95, 0.2], [-0.2, 1.05]]) + torch.tensor([12.0, -5.0])
    which = torch.tensor([0])
    flow, places = registration.flow(which, mean, turned), registration.places(which, turned)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(registration.flow(which, mean, turned), flow, rtol=0, atol=1e-4)
        torch.testing.assert_close(registration.places(which, turned).allowed, places.allowed, rtol=0, atol=1e-4)
    training = objective(dataclasses.replace(SMALL, mixed_precision=True))
    told = [training.step(torch.Generator().manual_seed(1), 1e-3, done) for done in (0.1, 0.95)]
    assert all(np.isfinite(value) for losses in told for value in losses.values())


def _saved(state: dict) -> io.BytesIO:

    kept = io.BytesIO()
    torch.save(state, kept)
    kept.seek(0)
    return kept


def test_made_pairs_wear_the_same_and_differ_only_under_the_mask():
    sampler = objective()._pairs
    pairs = sampler.draw(6, torch.Generator().manual_seed(4))
    assert pairs.plain.shape == (6, 3, 128, 128) and pairs.mask.shape == (6, 1, 128, 128)
    outside = pairs.mask == 0
    assert float(((pairs.worn - pairs.plain).abs() * outside).max()) < 1e-6
    assert float(pairs.mask.max()) > 0.5
    both = pairs.both_ways()
    torch.testing.assert_close(both.plain[6:], pairs.donor_plain)
    torch.testing.assert_close(both.donor[6:], pairs.worn)
    again = objective()._pairs.draw(6, torch.Generator().manual_seed(4))
    assert all(torch.equal(one, other) for one, other in zip(pairs, again, strict=True))


def test_too_few_bare_faces_are_told():
    with pytest.raises(TrainingError, match="without beard"):
        AttributeObjective(
            dataclasses.replace(SMALL, attributes=("beard",)), made_up_faces(), np.array([[1], [1], [0]], np.int8)
        )

"""The fast engine's Adam steps as PyTorch's class does, whatever the order of a gradient in memory."""

import subprocess
import sys

import torch
from torch import nn

from singanimation.stages.singan.fast.adam import Adam


def _network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(6, 8, 3, groups=2), nn.LeakyReLU(0.2), nn.Conv2d(8, 4, 3, groups=2))


def test_it_takes_the_steps_of_pytorchs_adam_within_rounding() -> None:
    ours, theirs, seen = _network(), _network(), torch.rand(2, 6, 12, 12)
    own = Adam(ours.parameters(), 1e-3, (0.5, 0.99))
    known = torch.optim.Adam(theirs.parameters(), 1e-3, (0.5, 0.99))
    for rate in (1e-3, 1e-3, 2e-4):
        own.rate = known.param_groups[0]["lr"] = rate
        own.descend(ours(seen).square().mean())
        known.zero_grad()
        theirs(seen).square().mean().backward()
        known.step()
    for first, second in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-8)


def test_a_gradient_that_lies_otherwise_in_memory_is_read_rightly() -> None:
    weight = torch.zeros(3, 4, requires_grad=True)
    wanted = torch.arange(12.0).reshape(3, 4) - 5.5
    # the gradient of a product with a transposed picture comes transposed
    Adam([weight], 1.0, (0.5, 0.99)).descend((weight.t().contiguous() * wanted.t().contiguous()).sum())
    torch.testing.assert_close(weight.detach(), -wanted.sign())


def test_it_steps_down_one_set_of_parameters_alone() -> None:
    network = _network()
    before = [each.clone() for each in network.parameters()]
    Adam(network[2].parameters(), 1e-2, (0.5, 0.99)).descend(network(torch.rand(1, 6, 12, 12)).mean())
    moved = [not torch.equal(first, second) for first, second in zip(before, network.parameters(), strict=True)]
    assert moved == [False, False, True, True]


def test_neither_finding_the_start_nor_a_fit_imports_what_takes_seconds() -> None:
    """``torch.optim.Adam`` imports the compiler; the place of a file of a package imports the package."""
    code = """
import sys
from singanimation.pipeline.weights import locate
assert locate("singan-start") and "torch" not in sys.modules
import numpy as np
from singanimation.stages.singan import make_regenerator
make_regenerator("fast", iterations=1).fit(np.zeros((1, 48, 48, 3), np.uint8), [1], ["N-1"])
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

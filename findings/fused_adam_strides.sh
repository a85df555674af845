#!/bin/sh
# Guess: an optimiser's step depends on the values of a gradient alone, not on how they lie in memory.
# Happens: Adam(fused=True) on the CPU reads a gradient in the order of memory. One that is transposed in memory (what
#          torch.autograd.grad gives for some convolutions) moves the wrong weights, and nothing is said.
#          loss.backward() lays gradients out like their parameters, so that only gradients put there by hand,
#          or handed to torch.optim.adam.adam, are met by it. Remedy: gradient.contiguous().
# Seen:    torch 2.15.0: plain: the same step; fused: 8 of 12 weights move the other way
# Versions: torch 2.15.0, CPU. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.15.0" "numpy"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch


def step(fused, transposed):
    weight = torch.nn.Parameter(torch.zeros(3, 4))
    gradient = torch.arange(12.0).reshape(3, 4) - 5.5
    weight.grad = gradient.t().contiguous().t() if transposed else gradient.clone()
    assert torch.equal(weight.grad, gradient)
    torch.optim.Adam([weight], lr=1.0, fused=fused).step()
    return weight.detach()


wrong = {fused: int((step(fused, True) != step(fused, False)).sum()) for fused in (False, True)}
plain = "the same step" if not wrong[False] else f"{wrong[False]} of 12 weights move the other way"
print(f"torch {torch.__version__}: plain: {plain}; fused: {wrong[True]} of 12 weights move the other way")
sys.exit(0 if not wrong[False] and wrong[True] else 1)
PYTHON

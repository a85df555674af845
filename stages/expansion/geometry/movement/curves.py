"""Openings between two curves (the inner lips, the lids): coordinates along and across them for every pixel."""

from typing import NamedTuple

import torch
from torch import Tensor

SAMPLES = 33
"""How finely a curve is sampled along the opening."""


class Opening(NamedTuple):
    """An opening from a left to a right corner, between an upper and a lower curve, on B faces.

    ``corner`` (B, 2) pixels; ``along`` and ``across`` (B, 2) unit vectors (to the other corner, and down);
    ``width`` (B,) pixels; ``upper`` and ``lower`` (B, SAMPLES) pixels across at equal steps along.
    """

    corner: Tensor
    along: Tensor
    across: Tensor
    width: Tensor
    upper: Tensor
    lower: Tensor

    @property
    def gap(self) -> Tensor:
        """The largest distance between the curves, pixels (B,)."""
        return (self.lower - self.upper).amax(1)

    def coordinates(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Every pixel's place along (0..1 between the corners) and across (pixels down from their line).

        Two (B, height, width).
        """
        device = self.corner.device
        x = torch.arange(width, device=device)[None, None, :] + 0.5 - self.corner[:, 0, None, None]
        y = torch.arange(height, device=device)[None, :, None] + 0.5 - self.corner[:, 1, None, None]
        along, across = self.along[..., None, None], self.across[..., None, None]
        u = (x * along[:, 0] + y * along[:, 1]) / self.width[:, None, None]
        return u, x * across[:, 0] + y * across[:, 1]

    def place(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates, as ``coordinates`` gives them, of ``points`` (B, K, 2), pixels: two (B, K)."""
        offset = points - self.corner[:, None]
        along, across = ((offset * axis[:, None]).sum(2) for axis in (self.along, self.across))
        return along / self.width[:, None], across

    def pixels(self, u: Tensor, v: Tensor) -> Tensor:
        """The inverse of ``coordinates``: (B, h, w) each -> pixels (B, h, w, 2)."""
        along, across = self.along[:, None, None, :], self.across[:, None, None, :]
        return (
            self.corner[:, None, None, :] + along * (u * self.width[:, None, None])[..., None] + across * v[..., None]
        )


def opening(landmarks: Tensor, upper: tuple[int, ...], lower: tuple[int, ...]) -> Opening:
    """The opening between two chains of ``landmarks`` (B, 478, 2); both run from the left to the right corner."""
    corner = landmarks[:, upper[0]]
    span = landmarks[:, upper[-1]] - corner
    width = span.norm(dim=1).clamp(min=1e-3)
    along = span / width[:, None]
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    curves = [_sampled(landmarks[:, list(chain)], corner, along, across, width) for chain in (upper, lower)]
    return Opening(corner, along, across, width, *curves)


def lookup(curve: Tensor, u: Tensor) -> Tensor:
    """Read ``curve`` (B, SAMPLES) at ``u`` (B, h, w), clamped to 0..1, linearly: (B, h, w)."""
    place = u.clamp(0, 1) * (SAMPLES - 1)
    left = place.floor().long().clamp(0, SAMPLES - 2)
    share = place - left
    flat = left.flatten(1)
    return curve.gather(1, flat).view_as(u) * (1 - share) + curve.gather(1, flat + 1).view_as(u) * share


def chain_across(eye: Opening, points: Tensor) -> Tensor:
    """How far across ``eye`` a chain of ``points`` (B, K, 2), from left to right, runs: (B, SAMPLES), pixels."""
    return _sampled(points, eye.corner, eye.along, eye.across, eye.width)


def _sampled(points: Tensor, corner: Tensor, along: Tensor, across: Tensor, width: Tensor) -> Tensor:
    """A chain of points (B, K, 2) -> its distance across at equal steps along, (B, SAMPLES)."""
    offset = points - corner[:, None]
    u = (offset * along[:, None]).sum(2) / width[:, None]
    v = (offset * across[:, None]).sum(2)
    # a chain may fold back under strong rotation: keep it a function of u
    steps = torch.arange(u.shape[1], device=u.device) * 1e-6
    u = torch.cummax(u + steps, 1).values.contiguous()
    wanted = torch.linspace(0, 1, SAMPLES, device=u.device).expand(len(u), SAMPLES).contiguous()
    after = torch.searchsorted(u, wanted).clamp(1, u.shape[1] - 1)
    u0, u1 = u.gather(1, after - 1), u.gather(1, after)
    share = ((wanted - u0) / (u1 - u0).clamp(min=1e-6)).clamp(0, 1)
    return v.gather(1, after - 1) * (1 - share) + v.gather(1, after) * share

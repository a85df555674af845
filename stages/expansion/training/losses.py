"""The losses of both recipes. Pictures are (B, 3, H, W) in -1..1 throughout."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

GRADIENT_EPSILON = 1e-12
"""Under the root of the gradient's norm: a zero gradient would otherwise give NaN."""


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """WGAN-GP (Gulrajani et al., 2017): mean of (|grad| - 1)^2 at points between real and fake.

    ``mix`` (B, 1, 1, 1) in 0..1 says where between them; ``critic`` returns the realness map.
    """
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = torch.sqrt(gradient.flatten(1).pow(2).sum(1) + GRADIENT_EPSILON)
    return (norm - 1).pow(2).mean()


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): mean squared gradient norm at real pictures."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return gradient.flatten(1).pow(2).sum(1).mean()


def total_variation(mask: Tensor, reduce: Callable[[Tensor], Tensor] = torch.mean) -> Tensor:
    """Absolute steps between neighbouring pixels of ``mask`` (B, C, H, W), both directions added.

    ``reduce`` is taken over the steps of each direction: the mean, or the sum (over pixels and batch).
    """
    return reduce((mask[:, :, 1:] - mask[:, :, :-1]).abs()) + reduce((mask[:, :, :, 1:] - mask[:, :, :, :-1]).abs())


def laplacian_l1(picture: Tensor, target: Tensor, levels: int = 3) -> Tensor:
    """L1 between the Laplacian pyramids' band-pass levels, added: edges count as much as areas."""
    loss = picture.new_zeros(())
    for _ in range(levels):
        small, small_target = F.avg_pool2d(picture, 2), F.avg_pool2d(target, 2)
        band = picture - F.interpolate(small, scale_factor=2.0)
        band_target = target - F.interpolate(small_target, scale_factor=2.0)
        loss = loss + (band - band_target).abs().mean()
        picture, target = small, small_target
    return loss


def fine_detail(pictures: Tensor) -> Tensor:
    """What a mean over 3 x 3 pixels leaves of ``pictures`` (B, C, H, W): edges and texture, around 0."""
    return pictures - F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)


def region_weights(source: Tensor, target: Tensor, fill: Tensor, lids: Tensor) -> Tensor:
    """How much each pixel's error counts, (B, 1, H, W): 1, and more where something has to change.

    6 more where the target differs from the source by 0.08 of the range or more (9 px average), 4 more in
    what is painted whole (``fill``), 8 more at the eyelids ``lids`` (both (B, 1, H, W) in 0..1).
    """
    changed = F.avg_pool2d((target - source).abs().mean(1, keepdim=True), 9, 1, 4)
    return 1 + 6 * (changed / 0.08).clamp(0, 1) + 4 * fill + 8 * lids


def attention_target_loss(attention: Tensor, paint: Tensor, fill: Tensor, where: Tensor) -> Tensor:
    """Binary cross-entropy that asks A to open (A = 0) where ``paint`` is 1, painted pixels counting threefold.

    ``paint`` (B, 1, H, W) in 0..1: what moving skin cannot supply; ``fill``, the same, what is painted whole, counts
    twelvefold more: eyes are few pixels, and half a stretched iris under half a painted one is a smear; ``where``
    (B, 1, 1, 1): 1 for the pairs whose target is known that well.
    """
    loss = F.binary_cross_entropy(attention.clamp(1e-3, 1 - 1e-3), 1 - paint, reduction="none")
    return (loss * (1 + 2 * paint + 12 * fill) * where).mean()

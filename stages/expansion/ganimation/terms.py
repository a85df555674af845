"""The terms of the paper's losses, one by one, as the authors' released code computes them.

Pictures are (B, 3, H, W) in -1..1, attentions (B, 1, H, W) in 0..1, action units (B, 17). Every function returns terms
by name with their weights on them; their sum is the loss (Pumarola et al., ECCV 2018; albertpumarola/GANimation).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from singanimation.stages.expansion.training.losses import gradient_penalty, total_variation
from singanimation.stages.expansion.training.settings import PaperTerms

Terms = dict[str, Tensor]


def units_loss(estimated: Tensor, wanted: Tensor, terms: PaperTerms) -> Tensor:
    """Return the AU regression: 4000 times the mean squared error, divided by the number of pictures in the batch."""
    return terms.units / len(wanted) * F.mse_loss(estimated.float(), wanted)


def attention_loss(attention: Tensor, terms: PaperTerms) -> Tensor:
    """Return 0.1 times the mean of A. A = 1 keeps the input's pixel: the term holds A away from keeping all."""
    return terms.attention * attention.float().mean()


def variation_loss(attention: Tensor, terms: PaperTerms) -> Tensor:
    """Return 1e-5 times the absolute steps between neighbours of A, both directions, *summed* over the batch."""
    return terms.variation * total_variation(attention.float(), torch.sum)


def critic_terms(real: tuple[Tensor, Tensor], fake_map: Tensor, units: Tensor, terms: PaperTerms) -> Terms:
    """Return the critic's losses without the penalty: ``real`` are realness map and AUs of the real pictures."""
    real_map, estimated = real
    return {
        "real": -real_map.float().mean(),
        "fake": fake_map.float().mean(),
        "units": units_loss(estimated, units, terms),
    }


def penalty_term(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor, terms: PaperTerms
) -> Terms:
    """Return the gradient penalty, 10 times; ``mix`` (B, 1, 1, 1) says where between real (1) and fake (0)."""
    return {"penalty": terms.penalty * gradient_penalty(critic, real, fake, mix)}


def generator_terms(
    picture: Tensor,
    there: tuple[Tensor, Tensor],
    back: tuple[Tensor, Tensor],
    judged: tuple[Tensor, Tensor],
    target: Tensor,
    terms: PaperTerms,
) -> Terms:
    """Return the generator's losses.

    ``there`` and ``back`` are attention and picture of the pass to the ``target`` and of the one back to the source's
    own AUs; ``judged`` are the critic's realness map and AUs of the edited picture. Both attentions are weighed alike.
    """
    realness, estimated = judged
    return {
        "fake": -realness.float().mean(),
        "units": units_loss(estimated, target, terms),
        "cycle": terms.cycle * (back[1].float() - picture).abs().mean(),
        "attention": attention_loss(there[0], terms) + attention_loss(back[0], terms),
        "variation": variation_loss(there[0], terms) + variation_loss(back[0], terms),
    }


def targets(others: Tensor, noise: Tensor, terms: PaperTerms) -> Tensor:
    """Return target AUs: those of other pictures, with ``noise`` in -1..1 times 0.1 on them.

    As in the released code they may leave 0..1, unless ``terms.clamp_targets``.
    """
    wanted = others + terms.noise * noise
    return wanted.clamp(0, 1) if terms.clamp_targets else wanted


def total(found: Terms) -> Tensor:
    """Return the sum of the terms."""
    return torch.stack(list(found.values())).sum()

"""What the fast engine's generators and critics learn: one step of each, on a batch of crops."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from singanimation.stages.singan.fast.adam import Adam
from singanimation.stages.singan.fast.networks import FoldedCritic, FoldedGenerator
from singanimation.stages.singan.networks import COLOURS, MARGIN

COARSE = 8
"""Pixels over which guided pictures are averaged: what is coarser is held, what is finer is the critic's."""

BAND = (3, 9)
"""Sides in pixels of the two means whose difference is the band that two draws are asked to differ in."""

CELL = 8
"""Pixels over which what they differ by is averaged."""


@dataclass(frozen=True)
class Weights:
    """Weights of the terms. Where a variant must stay, the reconstruction and the guide hold it; what it draws
    there the critic judges; how much two draws differ the spread asks for.

    ``reconstruction``: squared error of the noise-free path (SinGAN's alpha). ``guidance``: squared error to the edit
    moved and tinted like what entered, where both are averaged over ``COARSE`` pixels; ``fine_guidance`` the same at
    full size; ``colour`` that of the colours alone: what is drawn anew is light and shade, not specks of colour.
    ``spread``: by how much two draws differ less than ``difference`` times what the edit itself has there, in free
    places (after Mao et al., "Mode Seeking GANs", CVPR 2019). ``penalty``: R1.
    """

    reconstruction: float = 10.0
    guidance: float = 20.0
    fine_guidance: float = 0.5
    colour: float = 5.0
    adversarial: float = 1.0
    spread: float = 10.0
    difference: float = 0.15
    penalty: float = 0.03


@dataclass
class Batch:
    """Crops of S samples of B edits: pictures (S, B*3, c, c), inputs 10 folded pixels larger.

    ``noise`` (2S, B*NOISE, ...) are two draws for each sample, ``code`` (1, B*P, ...) the place, ``guided``
    (S, B, 1, 1) is 0 where noise alone entered and there is no guide. ``freedom`` (1, B, ...) is how freely the
    places of ``real`` are redrawn, folded; ``back`` (1, 1 or B*3, c, c) which share of the lost detail a variant is
    given back there, None at scales whose pictures nobody sees.
    """

    real: torch.Tensor
    guide: torch.Tensor
    guided: torch.Tensor
    previous: torch.Tensor
    path: torch.Tensor
    path_noise: torch.Tensor
    noise: torch.Tensor
    code: torch.Tensor | None
    freedom: torch.Tensor
    back: torch.Tensor | None

    @property
    def own_code(self) -> torch.Tensor | None:
        """The place of the pictures themselves, without the margin."""
        return None if self.code is None else self.code[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def per_edit_mean(values: torch.Tensor, edits: int) -> torch.Tensor:
    """Return the mean of (S, B*C, h, w) for each edit, summed over edits: each trains as if alone."""
    return values.reshape(values.shape[0], edits, -1).mean((0, 2)).sum()


def critic_loss(
    critic: FoldedCritic, real: torch.Tensor, fake: torch.Tensor, code: torch.Tensor | None, edits: int
) -> torch.Tensor:
    """Return the hinge loss of the patch scores of ``real`` and ``fake`` (S, B*3, h, w) at a place."""
    return per_edit_mean(F.relu(1 - critic(real, code)), edits) + per_edit_mean(F.relu(1 + critic(fake, code)), edits)


def r1_penalty(critic: FoldedCritic, real: torch.Tensor, code: torch.Tensor | None, edits: int) -> torch.Tensor:
    """Return R1 (Mescheder et al. 2018): the squared gradient of the summed patch scores, mean over pixels."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(real, code).sum(), real, create_graph=True)
    return COLOURS * per_edit_mean(gradient.square(), edits)


def generator_loss(
    critic: FoldedCritic, batch: Batch, fakes: torch.Tensor, rebuilt: torch.Tensor, weights: Weights, edits: int
) -> torch.Tensor:
    """Return the generators' loss for two draws of each sample ``fakes`` (2S, B*3, c, c) and the noise-free path."""
    guide, guided = torch.cat([batch.guide] * 2), torch.cat([batch.guided] * 2).repeat_interleave(COLOURS, 1)
    off = fakes - guide
    loss = weights.reconstruction * per_edit_mean((rebuilt - batch.real).square(), edits)
    loss = loss + weights.guidance * per_edit_mean(F.avg_pool2d(off, COARSE).square() * guided, edits)
    loss = loss + weights.fine_guidance * per_edit_mean(off.square() * guided, edits)
    hue = off.unflatten(1, (edits, COLOURS))
    hue = (hue - hue.mean(2, keepdim=True)).flatten(1, 2)
    loss = loss + weights.colour * per_edit_mean(hue.square() * guided, edits)
    loss = loss - weights.adversarial * per_edit_mean(critic(fakes, batch.own_code), edits)
    first, second = fakes.chunk(2)
    own = band_energy(batch.real)
    free = F.avg_pool2d(batch.freedom, batch.freedom.shape[-1] // own.shape[-1]).repeat_interleave(COLOURS, 1)
    lacking = F.relu(weights.difference * free * own - band_energy(first - second))
    return loss + weights.spread * per_edit_mean(lacking, edits)


def band_energy(pictures: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute value of (S, C, h, w) in ``BAND`` for each cell: (S, C, h/8, w/8)."""
    fine, coarse = (F.avg_pool2d(pictures, side, 1, side // 2, count_include_pad=False) for side in BAND)
    return F.avg_pool2d((fine - coarse).abs(), CELL)


def train_step(
    networks: tuple[FoldedGenerator, FoldedCritic],
    optimisers: tuple[Adam, Adam],
    batch: Batch,
    weights: Weights,
    penalty: float,
) -> None:
    """Take one step of the critic and one of the generator; ``penalty`` is R1's weight in this step, 0 for none."""
    generator, critic = networks
    edits = generator.edits
    fakes = generator(torch.cat([batch.previous] * 2), batch.noise, generator.placed(batch.code))
    returned = _given_back(generator, batch)
    if returned is not None:
        fakes = fakes + torch.cat([returned] * 2)
    # half of the real pictures lie over the fakes: the critic judges texture, and place tells it nothing
    real = torch.cat([batch.real, torch.where(batch.guided.repeat_interleave(COLOURS, 1) > 0, batch.guide, batch.real)])
    loss = critic_loss(critic, real, fakes.detach(), batch.own_code, edits)
    if penalty:
        loss = loss + penalty * r1_penalty(critic, real, batch.own_code, edits)
    optimisers[1].descend(loss)
    rebuilt = generator(batch.path, batch.path_noise, generator.placed(batch.code))
    optimisers[0].descend(generator_loss(critic, batch, fakes, rebuilt, weights, edits))


@torch.no_grad()
def _given_back(generator: FoldedGenerator, batch: Batch) -> torch.Tensor | None:
    """Return the lost detail that variants are given back, so that what is judged is what will be seen.

    What the guide has and the generator without noise has not, of the same input: (S, B*3, c, c).
    """
    if batch.back is None:
        return None
    silent = batch.noise.new_zeros(len(batch.previous), *batch.noise.shape[1:])
    quiet = generator(batch.previous, silent, generator.placed(batch.code))
    return batch.back * (batch.guide - quiet) * batch.guided.repeat_interleave(COLOURS, 1)

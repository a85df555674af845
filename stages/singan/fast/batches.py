"""What a scale of the fast engine trains on: a pool of inputs, and random crops of it, drawn beforehand."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from singanimation.stages.singan.fast.freedom import freedom, given_back
from singanimation.stages.singan.fast.networks import NOISE, layered
from singanimation.stages.singan.fast.objective import Batch
from singanimation.stages.singan.fast.pyramid import LOUDNESS, FastPyramid, fold_of, pad
from singanimation.stages.singan.networks import COLOURS, MARGIN
from singanimation.stages.singan.randomness import EditRandomness

AROUND = 5
"""Folded pixels over which the amplitude of the detail is taken."""


@dataclass
class Pool:
    """P inputs of one scale, an equal share for each start, drawn once before the scale is trained.

    ``previous`` (P, B*3, H+10f, ...) comes from the scales before, padded. ``guide`` (P, B*3, H, H) is the edit with
    the smooth changes of what entered, ``guided`` (P, B, 1, 1) 0 where noise alone entered. ``paths`` (R, B*3, ...)
    are the noise-free inputs, padded.
    """

    previous: torch.Tensor
    guide: torch.Tensor
    guided: torch.Tensor
    paths: torch.Tensor


def noise_amplitude(detail: torch.Tensor, fold: int) -> torch.Tensor:
    """Return the amplitude (S, B, h, h) of the noise of which a detail (S, B*3, H, H) is drawn.

    SinGAN's rule, noise by the error of the noise-free path, taken place by place: lids, lips and brows have much to
    redraw and flat skin little. Less where a face is not free to change (``freedom``).
    """
    square = detail.unflatten(1, (-1, COLOURS)).square().mean(2)
    around = F.avg_pool2d(F.avg_pool2d(square, fold), AROUND, 1, AROUND // 2, count_include_pad=False)
    return around.sqrt() * LOUDNESS * freedom(around.shape[-1], around.dtype, around.device)


@torch.no_grad()
def fill_pool(pyramid: FastPyramid, index: int, pictures: int, randomness: EditRandomness) -> tuple[Pool, torch.Tensor]:
    """Draw what scale ``index`` trains on; return it with the amplitude of the scale's noise (1, B, h, h)."""
    fold, real = fold_of(pyramid.sizes[index]), pyramid.pictures[index]
    starts = [start for start in pyramid.starts if pyramid.first_scale(start) <= index]
    clean = torch.cat([pyramid.reconstruct(start, index) for start in starts])
    amplitude = noise_amplitude(real - clean.mean(0, keepdim=True), fold)
    share = -(-pictures // len(starts))
    drawn: list[tuple[torch.Tensor, ...]] = []
    for start in starts:
        gain = randomness.uniform(share)
        net = pyramid.start_noise.draw(gain, randomness)
        previous = pyramid.chain(start, index, gain, randomness, net)
        drawn.append(
            (
                pyramid.padded(previous, fold),
                pyramid.start_noise.apply(real, net),
                torch.full_like(gain, float(start > 0)),
            )
        )
    previous, guide, guided = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return Pool(previous, guide, guided, pyramid.padded(clean, fold)), amplitude


class Batches:
    """Random crops of one scale: each edit its own place, its own pool picture and its own noise.

    All random numbers are drawn at once: on a GPU an iteration is a dozen small kernels less.
    """

    def __init__(
        self,
        pyramid: FastPyramid,
        index: int,
        pool: tuple[Pool, torch.Tensor],
        crop: int,
        iterations: int,
        randomness: EditRandomness,
        share: float,
    ) -> None:
        """``share`` is the recipe's, of the detail that variants are given back after the last scale."""
        self._pyramid, self._index, (self._pool, self._amplitude) = pyramid, index, pool
        self._fold = fold_of(pyramid.sizes[index])
        side = pyramid.sizes[index] // self._fold
        self._crop = min(crop, side)
        device = pyramid.target.device
        picks, rows, columns = (
            torch.tensor([randomness.integers(below) for _ in range(iterations)], device=device)
            for below in (len(self._pool.previous), side - self._crop + 1, side - self._crop + 1)
        )
        self._picks, self._places = picks, torch.stack([rows, columns])
        width = self._crop + 2 * MARGIN
        noise = layered(randomness.normal(2 * iterations, NOISE, width, width))
        self._noise = noise.unflatten(0, (iterations, 2))
        self._share = share if index == len(pyramid.sizes) - 1 and not pyramid.whole else None
        self._fixed = pyramid.optimal_noise if pyramid.from_noise(index) else None

    def draw(self, iteration: int) -> Batch:
        """Return the crops of ``iteration``; the noise-free paths take turns."""
        pyramid, pool, fold, crop = self._pyramid, self._pool, self._fold, self._crop
        picks, places, wide = self._picks[iteration], self._places[:, iteration], crop + 2 * MARGIN
        turn = torch.full_like(picks, iteration % len(pool.paths))
        noise = self._noise[iteration]
        if not pyramid.from_noise(self._index):
            amplitude = _cut(pad(self._amplitude), places, wide, torch.zeros_like(picks), 1)
            noise = noise * amplitude.repeat_interleave(NOISE, 1)
        code = pyramid.code(self._index)
        edits = torch.arange(pyramid.edits, device=picks.device)
        fixed = noise.new_zeros(1, *noise.shape[1:])
        if self._fixed is not None:
            fixed = _cut(pad(self._fixed), places, wide, torch.zeros_like(picks), NOISE)
        none = torch.zeros_like(picks)
        free = freedom(pyramid.sizes[self._index] // fold, noise.dtype, noise.device).expand(-1, pyramid.edits, -1, -1)
        back = None
        if self._share is not None:
            whole = given_back(pyramid.sizes[self._index], self._share, noise.dtype, noise.device)
            back = _cut(whole.expand(-1, pyramid.edits, -1, -1), places * fold, crop * fold, none, 1)
            back = back.repeat_interleave(COLOURS, 1)
        return Batch(
            real=_cut(pyramid.pictures[self._index], places * fold, crop * fold, none, COLOURS),
            guide=_cut(pool.guide, places * fold, crop * fold, picks, COLOURS),
            guided=pool.guided[picks, edits][None],
            previous=_cut(pool.previous, places * fold, wide * fold, picks, COLOURS),
            path=_cut(pool.paths, places * fold, wide * fold, turn, COLOURS),
            path_noise=fixed,
            noise=noise,
            code=None if code is None else _cut(code, places, wide, none, pyramid.codes),
            freedom=_cut(free, places, crop, none, 1),
            back=back,
        )


def _cut(pictures: torch.Tensor, places: torch.Tensor, size: int, picks: torch.Tensor, channels: int) -> torch.Tensor:
    """Cut one window per edit out of (P, B*C, h, w), from picture ``picks[b]``, at ``places`` (2, B).

    Returns (1, B*C, size, size).
    """
    grouped = pictures.unflatten(1, (-1, channels))
    if grouped.shape[1] == 1:
        (row,), (column,) = places.tolist()
        return grouped[int(picks[0]), 0, :, row : row + size, column : column + size][None]
    window = torch.arange(size, device=pictures.device)
    rows, columns = places[0][:, None, None] + window[:, None], places[1][:, None, None] + window
    edits = torch.arange(grouped.shape[1], device=pictures.device)[:, None, None]
    return grouped[picks[:, None, None], edits, :, rows, columns].permute(0, 3, 1, 2).flatten(0, 1)[None]

"""What a scale of the fast engine trains on: a pool of inputs, and random crops of it."""

from dataclasses import dataclass

import torch

from singanimation.stages.singan.fast.pyramid import FastPyramid, per_channel
from singanimation.stages.singan.networks import COLOURS, MARGIN, pad
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.randomness import EditRandomness


@dataclass
class Pool:
    """P inputs of one scale, an equal share for each start, drawn once before the scale is trained.

    ``previous`` (P, B*3, h+10, h+10) comes from the scales before, padded; ``amplitude`` (P, B, 1, 1) is that of
    the noise that goes with it. ``guide`` (P, B*3, h, h) is the edit with the same smooth changes as what entered
    (shape and tint), ``guided`` (P, B, 1, 1) is 0 where noise alone entered and there is none. ``paths`` are the
    padded inputs of the noise-free paths, without and with the fixed noise of the coarsest scale.
    """

    previous: torch.Tensor
    amplitude: torch.Tensor
    guide: torch.Tensor
    guided: torch.Tensor
    paths: list[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Batch:
    """One random crop per edit: all (1, B*3, c, c), the inputs of a generator 10 pixels larger.

    ``code`` (1, B*P, c+10, c+10) is the position code of the crops, None where the pyramid has none.
    """

    real: torch.Tensor
    noisy: torch.Tensor
    previous: torch.Tensor
    guide: torch.Tensor
    guided: torch.Tensor
    noisy_path: torch.Tensor
    path: torch.Tensor
    code: torch.Tensor | None


@torch.no_grad()
def fill_pool(
    pyramid: FastPyramid, index: int, pictures: int, noise: tuple[float, float], randomness: EditRandomness
) -> tuple[Pool, torch.Tensor]:
    """Draw what scale ``index`` trains on; return it with the deviation (B,) of the scale's own noise.

    ``noise`` is SinGAN's noise_amp, by which the error of the noise-free paths is multiplied, and the least noise.
    """
    entries = [entry for entry in pyramid.entries if entry <= index]
    real, share = pyramid.pictures[index], -(-pictures // len(entries))
    clean = [pyramid.reconstruct(entry, index) for entry in entries]
    error = torch.stack([(path - real).reshape(pyramid.edits, -1) for path in clean])
    fine = (noise[0] * error.square().mean((0, 2)).sqrt()).clamp(min=noise[1])
    drawn: list[tuple[torch.Tensor, ...]] = []
    for entry in entries:
        gain = randomness.uniform(share)
        net = pyramid.start_noise.draw(gain, randomness)
        previous = resize(pyramid.chain(entry, index, gain, randomness, net), pyramid.sizes[index])
        own = pyramid.entry_amplitude(index, gain) if entry == index else fine.view(1, -1, 1, 1).expand_as(gain)
        known = torch.full_like(gain, float(not pyramid.from_noise(entry)))
        drawn.append((pad(previous), own, pyramid.start_noise.apply(real, net), known))
    star = pyramid.optimal_noise if pyramid.from_noise(index) else None
    fixed = torch.zeros_like(real) if star is None else star
    paths = [(pad(path), pad(path + fixed)) for path in clean]
    previous, amplitude, guide, guided = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return Pool(previous, amplitude, guide, guided, paths), fine


class Batches:
    """Random crops of one scale: each edit its own place, its own pool picture and its own noise."""

    def __init__(self, pyramid: FastPyramid, index: int, pool: Pool, crop: int, randomness: EditRandomness) -> None:
        self._pyramid, self._index, self._pool, self._random = pyramid, index, pool, randomness
        self._size = pyramid.sizes[index]
        self._crop = min(crop, self._size)
        self._inside = pad(torch.ones_like(pyramid.pictures[index]))

    def draw(self, iteration: int) -> Batch:
        """Return the next crops; the noise-free paths take turns."""
        crop, padded = self._crop, self._crop + 2 * MARGIN
        places = list(zip(*(self._random.integers(self._size - crop + 1) for _ in range(2)), strict=True))
        picks = self._random.integers(len(self._pool.previous))
        previous = _cut(self._pool.previous, places, padded, picks)
        noise = self._pyramid.noise(self._index, 1, padded, self._random) * _cut(self._inside, places, padded)
        path, noisy_path = self._pool.paths[iteration % len(self._pool.paths)]
        return Batch(
            real=_cut(self._pyramid.pictures[self._index], places, crop),
            noisy=previous + noise * _picked(self._pool.amplitude, picks),
            previous=previous,
            guide=_cut(self._pool.guide, places, crop, picks),
            guided=_picked(self._pool.guided, picks),
            noisy_path=_cut(noisy_path, places, padded),
            path=_cut(path, places, padded),
            code=self._code(places, padded),
        )

    def _code(self, places: list[tuple[int, int]], size: int) -> torch.Tensor | None:
        if not self._pyramid.cycles:
            return None
        whole = self._pyramid.code(self._index)
        return torch.cat([whole[..., top : top + size, left : left + size] for top, left in places], 1)


def _picked(values: torch.Tensor, picks: list[int]) -> torch.Tensor:
    """Return (1, B*3, 1, 1): of ``values`` (P, B, 1, 1) those of each edit's pick."""
    return per_channel(torch.stack([values[pick, edit, 0, 0] for edit, pick in enumerate(picks)]))


def _cut(
    pictures: torch.Tensor, places: list[tuple[int, int]], size: int, picks: list[int] | None = None
) -> torch.Tensor:
    """Cut one (1, 3, size, size) window per edit out of (P, B*3, h, w), from picture ``picks[b]`` (default 0)."""
    parts = []
    for edit, (top, left) in enumerate(places):
        pick = picks[edit] if picks else 0
        channels = slice(COLOURS * edit, COLOURS * edit + COLOURS)
        parts.append(pictures[pick : pick + 1, channels, top : top + size, left : left + size])
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

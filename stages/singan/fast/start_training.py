"""Learning the weights from which every edit's GAN begins: the same objective, on many faces at once.

What a per-image GAN learns first (how lips, lids and brows look at this size, and to draw them differently from
different noise) is the same for all faces; what is left to each edit's own training is its face.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from singanimation.stages.singan.fast.adam import Adam
from singanimation.stages.singan.fast.batches import noise_amplitude
from singanimation.stages.singan.fast.freedom import freedom, given_back
from singanimation.stages.singan.fast.networks import NOISE, FoldedCritic, FoldedGenerator, layered
from singanimation.stages.singan.fast.objective import Batch, train_step
from singanimation.stages.singan.fast.positions import CODES, position_code
from singanimation.stages.singan.fast.pyramid import extend, fast_sizes, pad
from singanimation.stages.singan.fast.start import Start
from singanimation.stages.singan.fast.training import (
    FastRecipe,
    initialise_networks,
    make_networks,
    make_optimisers,
    set_learning_rate,
)
from singanimation.stages.singan.networks import COLOURS, MARGIN
from singanimation.stages.singan.pyramid import pyramid_sizes, resize
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.tensors import to_tensor

FOLD = 2


@dataclass(frozen=True)
class StartSettings:
    """``faces`` are drawn for each of ``steps``, half of them mirrored; ``init`` are weights to go on from.

    What is kept are the generators' running means (``average`` of the old at each step): a GAN's last step is as good
    as chance has it.
    """

    steps: int = 1400
    faces: int = 4
    seed: int = 0
    average: float = 0.99
    init: Start | None = None
    recipe: FastRecipe = FastRecipe()


@dataclass(frozen=True)
class StartProgress:
    """After a step: the weights so far, and the mean squared error of the noise-free path at full size, -1..1."""

    step: int
    error: float
    start: Start


@dataclass
class _Faces:
    """What a step works on: faces (S, 3, H, H), and what came from the scale before, changed and clean."""

    real: torch.Tensor
    net: torch.Tensor
    changed: torch.Tensor
    clean: torch.Tensor


def learn_start(pictures: np.ndarray, settings: StartSettings) -> Iterator[StartProgress]:
    """Train on ``pictures`` uint8 (N, 128, 128, 3), aligned crops; yield after each step, the first included."""
    size, recipe = pictures.shape[1], settings.recipe.fresh()
    like = torch.zeros(1)
    randomness = EditRandomness([settings.seed], "singan-start", like)
    networks = {each: make_networks(1, recipe, FOLD, CODES) for each in fast_sizes(size)}
    for each, pair in networks.items():
        initialise_networks(pair, randomness)
        for network, state in zip(pair, settings.init[each] if settings.init else (), strict=False):
            network.load_state_dict(state)
    optimisers = {each: make_optimisers(pair, recipe) for each, pair in networks.items()}
    means = {each: _states(pair)[0] for each, pair in networks.items()}
    means = {each: {name: value.clone() for name, value in state.items()} for each, state in means.items()}
    for step in range(settings.steps):
        faces = _draw_faces(pictures, settings, step, randomness)
        penalty = 0.0 if step % recipe.penalty_every else recipe.weights.penalty * recipe.penalty_every
        for each, pair in networks.items():
            set_learning_rate(optimisers[each], recipe, step / settings.steps)
            _train_scale(faces, each, pair, optimisers[each], recipe, penalty, randomness)
        error = float((faces.clean - faces.real).square().mean())
        kept = min(settings.average, step / (step + 1))
        for each, pair in networks.items():
            for name, value in _states(pair)[0].items():
                means[each][name].lerp_(value, 1 - kept)
        yield StartProgress(step + 1, error, {each: (means[each], _states(pair)[1]) for each, pair in networks.items()})


def _states(pair: tuple[FoldedGenerator, FoldedCritic]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    return pair[0].state_dict(), pair[1].state_dict()


def _draw_faces(pictures: np.ndarray, settings: StartSettings, step: int, randomness: EditRandomness) -> _Faces:
    """Draw faces and what enters of them, at the start scales N-1 and N-2 in turn."""
    chosen = [randomness.integers(len(pictures))[0] for _ in range(settings.faces)]
    batch = np.stack([pictures[index][:, ::-1] if index % 2 else pictures[index] for index in chosen])
    if step % 2:
        batch = batch[:, :, ::-1]
    real = to_tensor(batch, "cpu")
    noise, size = settings.recipe.start_noise, real.shape[-1]
    # the smooth changes are made for edits side by side
    grouped = real.flatten(0, 1)[None]
    gain = randomness.uniform(settings.faces).permute(1, 0, 2, 3)
    own = EditRandomness([randomness.integers(1 << 40)[0] for _ in chosen], "singan-start-face", real)
    net = noise.draw(gain, own)
    entering = resize(grouped, pyramid_sizes(size)[1 + step // 2 % 2])
    changed = noise.perturb(entering, net, gain, own)
    return _Faces(real, net, _apart(changed), _apart(entering))


def _apart(grouped: torch.Tensor) -> torch.Tensor:
    """Return (1, S*3, h, h) as (S, 3, h, h)."""
    return grouped[0].unflatten(0, (-1, COLOURS))


def _train_scale(
    faces: _Faces,
    size: int,
    networks: tuple[FoldedGenerator, FoldedCritic],
    optimisers: tuple[Adam, Adam],
    recipe: FastRecipe,
    penalty: float,
    randomness: EditRandomness,
) -> None:
    """Train one scale on a crop, then let it draw whole what the next one receives."""
    real, side = resize(faces.real, size), size // FOLD
    guide = _apart(recipe.start_noise.apply(real.flatten(0, 1)[None], faces.net))
    previous, path = (extend(resize(each, size), FOLD) for each in (faces.changed, faces.clean))
    margin = MARGIN * FOLD
    amplitude = noise_amplitude(real - path[..., margin:-margin, margin:-margin], FOLD)
    crop = min(recipe.crop, side)
    top, left = (randomness.integers(side - crop + 1)[0] for _ in range(2))

    def cut(values: torch.Tensor, fold: int, width: int) -> torch.Tensor:
        return values[..., top * fold : (top + width) * fold, left * fold : (left + width) * fold]

    back = given_back(size, recipe.share, real.dtype, real.device)
    wide, count = crop + 2 * MARGIN, len(real)
    noise = layered(randomness.normal(2 * count, NOISE, wide, wide))
    code = position_code(side, real.dtype, real.device)[None]
    batch = Batch(
        real=cut(real, FOLD, crop),
        guide=cut(guide, FOLD, crop),
        guided=real.new_ones(count, 1, 1, 1),
        previous=cut(previous, FOLD, wide),
        path=cut(path, FOLD, wide),
        path_noise=torch.zeros_like(noise[:count]),
        noise=noise * cut(pad(amplitude), 1, wide).repeat(2, 1, 1, 1),
        code=cut(code, 1, wide),
        freedom=cut(freedom(side, real.dtype, real.device), 1, crop),
        back=cut(back, FOLD, crop) if size == faces.real.shape[-1] else None,
    )
    train_step(networks, optimisers, batch, recipe.weights, penalty)
    with torch.no_grad():
        generator, placed = networks[0], networks[0].placed(code)
        unit = pad(layered(randomness.normal(count, NOISE, side, side)) * amplitude)
        faces.changed = generator(previous, unit, placed)
        faces.clean = generator(path, torch.zeros_like(unit), placed)

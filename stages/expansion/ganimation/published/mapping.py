"""Three published implementations of GANimation, told by their tensors' names and mapped onto the paper's generator.

All three condition on the target's 17 AUs (OpenFace's order, intensity / 5), take RGB in -1..1, and keep the input's
pixel where attention is 1. They differ in names and in normalisation:

- albertpumarola/GANimation: affine InstanceNorm, convolutions without bias. The paper's generator as it is.
- donydchen/ganimation_replicate: InstanceNorm without weights, convolutions with bias. InstanceNorm subtracts each
  channel's mean, and a bias is the same everywhere in its channel: it cancels and is dropped, weights are 1.
- vipermu/ganimation: affine InstanceNorm with running statistics, which its eval mode uses; duplicates ``debug1..4``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.files.untrusted import shown
from singanimation.stages.expansion.ganimation.networks import PaperGenerator
from singanimation.stages.expansion.ganimation.published.networks import StatisticsGenerator

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_DUPLICATES = re.compile(r"debug[1-4]\.")
_MOST_WIDTH, _MOST_BLOCKS = 512, 32
_FIRST_BLOCK = 9


@dataclass(frozen=True)
class Implementation:
    """How one implementation names its tensors: the trunk, the inside of a residual block, the two heads."""

    name: str
    trunk: str
    block: str
    colour: str
    attention: str
    affine: bool = True
    statistics: bool = False


IMPLEMENTATIONS = (
    Implementation("albertpumarola/GANimation", "main", "main", "img_reg.0", "attetion_reg.0"),
    Implementation("donydchen/ganimation_replicate", "model", "conv_block", "color_top.0", "au_top.0", affine=False),
    Implementation("vipermu/ganimation", "main", "main", "im_reg.0", "im_att.0", statistics=True),
)

_CRITICS = {
    "conv1.weight": "albertpumarola/GANimation or vipermu/ganimation",
    "dis_top.weight": IMPLEMENTATIONS[1].name,
}


class Converted(NamedTuple):
    """A published generator as ours: ``network`` in eval mode, its constructor's ``options``, and what was done."""

    network: PaperGenerator
    options: dict[str, int]
    implementation: Implementation
    mapped: int
    dropped: tuple[str, ...]
    normalisation: str


def convert(state: Mapping[str, Tensor], path: Path, *, picture_statistics: bool = False) -> Converted:
    """Recognise a published generator's state dict and build it as one of ours.

    ``picture_statistics`` normalises vipermu's generator by each picture's own statistics, as its own scripts do
    (they never call ``eval()``), in place of its running ones. Raises WeightsError naming ``path`` and what is wrong.
    """
    kind = _recognise(state, path)
    width, blocks = _size(state, kind, path)
    running = kind.statistics and not picture_statistics and _has_statistics(state)
    builder = StatisticsGenerator if running else PaperGenerator
    options = {"width": width, "blocks": blocks}
    with torch.device("meta"):  # shapes alone: nothing is allocated before the file is known to fit
        wanted = builder(**options).state_dict()
    names = dict(_names(kind, blocks, state, wanted))
    new = {ours: _fitting(state, theirs, wanted[ours], kind, path) for ours, theirs in names.items()}
    for ours, tensor in wanted.items():
        if ours not in new:  # a normalisation without weights of its own
            new[ours] = torch.ones(tensor.shape) if ours.endswith("weight") else torch.zeros(tensor.shape)
    dropped = _dropped(state, set(names.values()), kind, path)
    network = builder(**options)
    network.load_state_dict(new)
    network.eval().requires_grad_(False)
    words = "running statistics of its training" if running else "each picture's own statistics"
    return Converted(network, options, kind, len(names), dropped, words)


def _recognise(state: Mapping[str, Tensor], path: Path) -> Implementation:
    for kind in IMPLEMENTATIONS:
        if f"{kind.colour}.weight" in state and f"{kind.attention}.weight" in state:
            return kind
    for name, whose in _CRITICS.items():
        if name in state:
            raise WeightsError(f"{path} is a discriminator ({whose}); take the generator's file beside it.")
    names = shown(", ".join(sorted(state)[:3]))
    raise WeightsError(
        f"{path} is no GANimation generator that we know ({', '.join(kind.name for kind in IMPLEMENTATIONS)}); its "
        f"first tensors are {names}."
    )


def _size(state: Mapping[str, Tensor], kind: Implementation, path: Path) -> tuple[int, int]:
    """Return the network's width and number of residual blocks; the paper's are 64 and 6."""
    first = state.get(f"{kind.trunk}.0.weight")
    shape = tuple(first.shape) if first is not None else ()
    if len(shape) != 4 or not 1 <= shape[0] <= _MOST_WIDTH:
        raise WeightsError(f"{path} looks like {kind.name}, but its first layer {kind.trunk}.0.weight does not fit.")
    units = shape[1] - 3
    if units != len(AU_NAMES):
        raise WeightsError(f"{path} ({kind.name}) is conditioned on {units} action units; {len(AU_NAMES)} are needed.")
    last = _FIRST_BLOCK + _MOST_BLOCKS
    inside = [f"{kind.trunk}.{index}.{kind.block}.0.weight" in state for index in range(_FIRST_BLOCK, last)]
    return shape[0], inside.index(False) if False in inside else _MOST_BLOCKS


def _names(
    kind: Implementation, blocks: int, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> Iterator[tuple[str, str]]:
    """Yield (our tensor, their tensor) for all that is taken over."""
    after = _FIRST_BLOCK + blocks
    places = {"stem.0": "0", "down1.0": "3", "down2.0": "6", "up1.0": f"{after}", "up2.0": f"{after + 3}"}
    for index in range(blocks):
        inside = f"{_FIRST_BLOCK + index}.{kind.block}"
        # with --use_dropout, donydchen's blocks have one more layer before the second convolution
        dropout = not kind.affine and f"{kind.trunk}.{inside}.4.weight" in state
        places |= {f"residuals.{index}.0": f"{inside}.0", f"residuals.{index}.3": f"{inside}.{4 if dropout else 3}"}
    for ours, theirs in places.items():
        yield f"{ours}.weight", f"{kind.trunk}.{theirs}.weight"
        if kind.affine:
            yield from _norm(_next(ours), f"{kind.trunk}.{_next(theirs)}", wanted)
    yield "colour.weight", f"{kind.colour}.weight"
    yield "attention.weight", f"{kind.attention}.weight"


def _norm(ours: str, theirs: str, wanted: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    for part in ("weight", "bias", *_STATISTICS):
        if f"{ours}.{part}" in wanted:
            yield f"{ours}.{part}", f"{theirs}.{part}"


def _next(place: str) -> str:
    before, _, last = place.rpartition(".")
    return f"{before}.{int(last) + 1}".lstrip(".")


def _has_statistics(state: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("running_mean") for name in state)


def _fitting(state: Mapping[str, Tensor], name: str, wanted: Tensor, kind: Implementation, path: Path) -> Tensor:
    tensor = state.get(name)
    if tensor is None and name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)  # old versions of PyTorch did not count
    if tensor is None:
        raise WeightsError(f"{path} looks like {kind.name}, but lacks {name}; is it complete?")
    if tensor.shape != wanted.shape:
        raise WeightsError(
            f"{path} looks like {kind.name}, but {name} has the shape {tuple(tensor.shape)} and "
            f"{tuple(wanted.shape)} is needed."
        )
    if tensor.is_floating_point() != wanted.is_floating_point():
        raise WeightsError(f"{path} looks like {kind.name}, but {name} is of the type {tensor.dtype}.")
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise WeightsError(f"{path} ({kind.name}) has values in {name} that are not finite.")
    return tensor.detach().to(wanted.dtype).clone()


def _dropped(state: Mapping[str, Tensor], used: set[str], kind: Implementation, path: Path) -> tuple[str, ...]:
    """Return in words what is left out on purpose. Raises WeightsError for tensors that nobody knows."""
    rest = [name for name in state if name not in used]
    duplicates = [name for name in rest if kind.statistics and _DUPLICATES.match(name)]
    statistics = [name for name in rest if name not in duplicates and kind.affine and name.endswith(_STATISTICS)]
    biases = [name for name in rest if not kind.affine and name.removesuffix("bias") + "weight" in used]
    unknown = set(rest) - set(duplicates) - set(statistics) - set(biases)
    if unknown:
        raise WeightsError(
            f"{path} looks like {kind.name}, but has tensors it does not have: {shown(min(unknown))}, ..."
        )
    said = {
        "duplicates of the trunk (debug1 to debug4)": duplicates,
        "running statistics": statistics,
        "convolution biases, which the normalisation after them cancels": biases,
    }
    return tuple(f"{len(names)} {words}" for words, names in said.items() if names)


def parameters(network: nn.Module) -> int:
    """Return the number of values that were trained."""
    return sum(parameter.numel() for parameter in network.parameters())

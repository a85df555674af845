"""The three published generators computed plainly from a state dict, and state dicts with random weights.

Written from the facts about them (names, layers, normalisation), not from the program's networks.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

AFFINE = "affine"
PLAIN = "plain"
RUNNING = "running"


def trunk_layers(width: int, blocks: int) -> list[tuple[str, tuple[int, ...], str, int, int]]:
    """(index in the trunk, weight's shape, kind, stride, padding) of each convolution outside the residual blocks."""
    after = 9 + blocks
    return [
        ("0", (width, 20, 7, 7), "conv", 1, 3),
        ("3", (2 * width, width, 4, 4), "conv", 2, 1),
        ("6", (4 * width, 2 * width, 4, 4), "conv", 2, 1),
        (f"{after}", (4 * width, 2 * width, 4, 4), "up", 2, 1),
        (f"{after + 3}", (2 * width, width, 4, 4), "up", 2, 1),
    ]


NAMES = {
    "P": ("main", "main", "img_reg.0", "attetion_reg.0"),
    "D": ("model", "conv_block", "color_top.0", "au_top.0"),
    "V": ("main", "main", "im_reg.0", "im_att.0"),
}
NORMS = {"P": AFFINE, "D": PLAIN, "V": RUNNING}


def random_state(kind: str, width: int = 8, blocks: int = 2, seed: int = 0) -> dict[str, Tensor]:
    """A state dict as the implementation ``P``, ``D`` or ``V`` would save it, with random weights."""
    random = torch.Generator().manual_seed(seed)
    trunk, block, colour, attention = NAMES[kind]
    state: dict[str, Tensor] = {}

    def put(name: str, shape: tuple[int, ...], channels: int) -> None:
        fan = shape[1] * shape[2] * shape[3]
        state[f"{name}.weight"] = torch.randn(shape, generator=random) * (2 / fan) ** 0.5
        before, _, last = name.rpartition(".")
        norm = f"{before}.{int(last) + 1}"
        if kind == "D":
            state[f"{name}.bias"] = torch.randn(channels, generator=random)
            return
        state[f"{norm}.weight"] = 1 + 0.2 * torch.randn(channels, generator=random)
        state[f"{norm}.bias"] = 0.2 * torch.randn(channels, generator=random)
        if kind == "V":
            state[f"{norm}.running_mean"] = 0.3 * torch.randn(channels, generator=random)
            state[f"{norm}.running_var"] = 0.5 + torch.rand(channels, generator=random)
            state[f"{norm}.num_batches_tracked"] = torch.tensor(123_456)

    layers = trunk_layers(width, blocks)
    for index, shape, _, _, _ in layers[:3]:
        put(f"{trunk}.{index}", shape, shape[0])
    for number in range(blocks):
        for index in (0, 3):
            put(f"{trunk}.{9 + number}.{block}.{index}", (4 * width, 4 * width, 3, 3), 4 * width)
    for index, shape, _, _, _ in layers[3:]:
        put(f"{trunk}.{index}", shape, shape[1])
    for name, channels in ((colour, 3), (attention, 1)):
        state[f"{name}.weight"] = torch.randn((channels, width, 7, 7), generator=random) * 0.05
    if kind == "V":
        parts = {f"debug{number}": [name for name in state if name.startswith("main.")] for number in (1, 2, 3, 4)}
        for number, names in parts.items():
            state |= {name.replace("main.", f"{number}.", 1): state[name] for name in names}
    return state


def compute(
    kind: str, state: Mapping[str, Tensor], picture: Tensor, units: Tensor, blocks: int = 2, running: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (picture, attention, colour) of the implementation's generator in eval mode, layer by layer."""
    trunk, block, colour_name, attention_name = NAMES[kind]
    width = state[f"{trunk}.0.weight"].shape[0]

    def norm(values: Tensor, place: str) -> Tensor:
        before, _, last = place.rpartition(".")
        name = f"{before}.{int(last) + 1}"
        if kind == "V" and running:
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            mean, variance = mean[None, :, None, None], variance[None, :, None, None]
        else:
            mean = values.mean((2, 3), keepdim=True)
            variance = values.var((2, 3), unbiased=False, keepdim=True)
        values = (values - mean) / torch.sqrt(variance + 1e-5)
        if kind == "D":
            return values
        return values * state[f"{name}.weight"][None, :, None, None] + state[f"{name}.bias"][None, :, None, None]

    def layer(values: Tensor, place: str, how: str, stride: int, padding: int) -> Tensor:
        apply = functional.conv2d if how == "conv" else functional.conv_transpose2d
        bias = state.get(f"{place}.bias") if kind == "D" else None
        return norm(apply(values, state[f"{place}.weight"], bias, stride, padding), place)

    planes = units[:, :, None, None].expand(-1, -1, *picture.shape[2:])
    hidden = torch.cat([picture, planes], 1)
    layers = trunk_layers(width, blocks)
    for index, _, how, stride, padding in layers[:3]:
        hidden = torch.relu(layer(hidden, f"{trunk}.{index}", how, stride, padding))
    for number in range(blocks):
        inside = f"{trunk}.{9 + number}.{block}"
        first = torch.relu(layer(hidden, f"{inside}.0", "conv", 1, 1))
        hidden = hidden + layer(first, f"{inside}.3", "conv", 1, 1)
    for index, _, how, stride, padding in layers[3:]:
        hidden = torch.relu(layer(hidden, f"{trunk}.{index}", how, stride, padding))
    colour = torch.tanh(functional.conv2d(hidden, state[f"{colour_name}.weight"], padding=3))
    attention = torch.sigmoid(functional.conv2d(hidden, state[f"{attention_name}.weight"], padding=3))
    return attention * picture + (1 - attention) * colour, attention, colour

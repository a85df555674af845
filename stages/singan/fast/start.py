"""The weights from which every edit's GAN begins, learnt over many faces and shipped."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.weights import find

NAME = "singan-start"
"""The weights' name in the registry."""

Start = Mapping[int, tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]]
"""Size in pixels -> the states of the generator and of the critic of one edit from which a scale like it begins."""

PARTS = ("generator", "critic")


@lru_cache(maxsize=4)
def load_start(device: str = "cpu", path: Path | None = None) -> Start:
    """Read the weights at ``path``, by default the shipped ones. Raises WeightsError."""
    stored = load_file(find(NAME, path), device=device)
    sizes = sorted({int(name.split(".")[0]) for name in stored})

    def state(size: int, part: str) -> dict[str, torch.Tensor]:
        head = f"{size}.{part}."
        return {name.removeprefix(head): value.float() for name, value in stored.items() if name.startswith(head)}

    return {size: (state(size, PARTS[0]), state(size, PARTS[1])) for size in sizes}


def save_start(start: Start, path: Path) -> None:
    """Write the weights in half precision: safetensors, names ``<size>.<generator|critic>.<name>``."""
    tensors = {
        f"{size}.{part}.{name}": value.detach().cpu().half().contiguous()
        for size, states in start.items()
        for part, state in zip(PARTS, states, strict=True)
        for name, value in state.items()
    }
    with atomic_file(path) as file:
        file.write(save(tensors))

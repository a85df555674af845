"""The reference engine for its full 2000 iterations a scale: the anchor of quality at 64 px. Hours; run it once.

    python benchmarks/reference_faces.py astronaut out
    python benchmarks/reference_faces.py congress/T000488 out --faces ../shared/faces/faces.parquet

One SinGAN of one face at 64 px, the reading of "down-sampled" that the released code has (z* above the start), so
that one training serves the starts N, N-1 and N-2. After each scale the weights are saved, so a stopped run goes on
with the same command. ``out`` gets, with a "/" in NAME written "~", ``NAME.pt`` (weights), ``NAME.json``
(CPU-seconds, one thread) and, when the last scale is done, ``NAME.png``: the edit and ten variants for each start.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from PIL import Image

from singanimation.stages.singan.pyramid import start_index
from singanimation.stages.singan.randomness import EditRandomness
from singanimation.stages.singan.reference.pyramid import ReferencePyramid, ReferenceRecipe, ReferenceScale
from singanimation.stages.singan.reference.scale import make_networks
from singanimation.stages.singan.reference.training import train_reference
from singanimation.stages.singan.tensors import to_pictures, to_tensor

SIZE = 64
STARTS = ("N", "N-1", "N-2")


def load_face(name: str, faces: Path | None, size: int = SIZE) -> np.ndarray:
    """Return the tight face crop uint8 (size, size, 3) called ``name`` of the table, or the astronaut."""
    name = name.replace("~", "/")
    if name == "astronaut":
        from skimage.data import astronaut

        face = astronaut()[20:220, 125:325]
    else:
        import io

        import pyarrow.parquet as pq

        rows = pq.read_table(faces, columns=["image"], filters=[("face_id", "==", name)]).to_pylist()
        face = np.asarray(Image.open(io.BytesIO(rows[0]["image"])).convert("RGB"))[46:222, 40:216]
    return cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)


def save(path: Path, pyramid: ReferencePyramid) -> None:
    """Write the trained scales' weights."""
    scales = {
        number: {"generator": scale.generator.state_dict(), "critic": scale.critic.state_dict(), "noise": scale.noise}
        for number, scale in pyramid.scales.items()
    }
    temporary = path.with_suffix(".part")
    torch.save({"scales": scales, "optimal_noise": pyramid.optimal_noise}, temporary)
    temporary.replace(path)


def load(path: Path, target: torch.Tensor, recipe: ReferenceRecipe, seed: int = 1) -> ReferencePyramid:
    """Return the pyramid of ``target`` (1, 3, H, H) with the scales that ``path`` holds."""
    pyramid = ReferencePyramid(target, [seed], 0)
    if path.exists():
        stored = torch.load(path, weights_only=True)
        pyramid.optimal_noise = stored["optimal_noise"]
        for number, state in sorted(stored["scales"].items()):
            networks = make_networks(pyramid, number, recipe, EditRandomness([seed], "unused", target))
            for network, part in zip(networks, ("generator", "critic"), strict=True):
                network.load_state_dict(state[part])
                network.eval().requires_grad_(False)
            pyramid.scales[number] = ReferenceScale(*networks, state["noise"])
    return pyramid


def draw(pyramid: ReferencePyramid, start: str, count: int, gain: float = 1.0) -> np.ndarray:
    """Return ``count`` variants uint8 (count, H, H, 3) from ``start``, with ``gain`` times the published noise."""
    drawn = [
        pyramid.chain(
            len(pyramid.pictures),
            EditRandomness([0], f"reference:{start}:{seed}", pyramid.pictures[0]),
            start_index(start),
            gain,
        )
        for seed in range(count)
    ]
    return to_pictures(torch.cat(drawn))


def main(
    name: Annotated[str, typer.Argument(help="astronaut, or a face_id of --faces")],
    out: Annotated[Path, typer.Argument(help="folder of what comes out")],
    faces: Annotated[Path | None, typer.Option(help="a Parquet of faces")] = None,
    iterations: Annotated[int, typer.Option(help="iterations a scale")] = ReferenceRecipe.iterations,
    size: Annotated[int, typer.Option(help="pixels")] = SIZE,
) -> None:
    """Train, or go on training, the reference SinGAN of one face."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / name.replace("/", "~")
    face, recipe = load_face(name, faces, size), replace(ReferenceRecipe(), iterations=iterations)
    target = to_tensor(face[None], "cpu")
    figures = stem.with_suffix(".json")
    spent: dict[str, float] = json.loads(figures.read_text()) if figures.exists() else {}
    before = time.process_time()
    for pyramid in train_reference(target, [1], recipe, 0, load(stem.with_suffix(".pt"), target, recipe)):
        scale = len(pyramid.scales) - 1
        spent[str(pyramid.pictures[scale].shape[-1])] = time.process_time() - before
        save(stem.with_suffix(".pt"), pyramid)
        figures.write_text(json.dumps(spent))
        print(f"{name}: scale {scale}, {time.process_time() - before:,.0f} CPU-s", flush=True)
        before = time.process_time()
    pyramid = load(stem.with_suffix(".pt"), target, recipe)
    rows = [np.concatenate([face, *draw(pyramid, start, 10)], 1) for start in STARTS]
    Image.fromarray(np.concatenate(rows)).resize((11 * 128, 3 * 128), Image.Resampling.BICUBIC).save(
        stem.with_suffix(".png")
    )


if __name__ == "__main__":
    typer.run(main)

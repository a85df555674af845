"""SinGAN's other uses on one scene and one face, each beside its controls: sheets and a table.

    augment singan train rocket.png --max-size 64 --iterations 500 --kernels 16   # data.rocket() of scikit-image
    augment singan train face.png --max-size 50 --iterations 500 --kernels 16     # data.astronaut()[0:200, 128:328]
    augment singan train small.png --max-size 66 --iterations 300 --kernels 16 --enlarge 4 --output x4.safetensors
    python benchmarks/singan_uses.py rocket.singan.safetensors face.singan.safetensors --enlarging x4.safetensors \
        --truth large.png --out DIR   # data.coffee() at 264 x 176 and 66 x 44

Controls: ``untrained`` (the same networks as they were drawn), ``bicubic`` (what the start scale gets, enlarged
plainly), ``copy`` (the composite itself). The figures are patches' distances in both directions (Simakov et al.,
"Summarizing visual data using bidirectional similarity", CVPR 2008), root mean square of 255 over 7 x 7 pixels:
``strange``, from each patch of a result to the nearest of the picture, is small where a result is made of the picture's
textures; ``lost``, from each of the picture's to the nearest of the result, is small where all of the picture is in it.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from singan_composites import moon, moved, painted, painting_of_face, painting_of_rocket, pasted, spectacles

from singanimation.flows.figures.grid import Grid, write_grid
from singanimation.flows.sheets.animation import write_gif
from singanimation.flows.singan.enlarged import table_of
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.tensors import to_pictures, to_tensor
from singanimation.stages.singan.uses import (
    ModelSettings,
    PictureModel,
    animate,
    bicubic,
    blend,
    enlarge,
    inject,
    load_model,
    sample,
    soften_mask,
    train,
)

PATCH = 7
STARTS = ("N-1", "N-2", "N-3", "N-4")


def patches(picture: np.ndarray) -> torch.Tensor:
    """Return all patches of uint8 (H, W, 3) as rows (n, 3 * 7 * 7)."""
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    return torch.nn.functional.unfold(tensor, PATCH)[0].T.contiguous()


def distances(picture: np.ndarray, result: np.ndarray) -> tuple[float, float]:
    """Return ``strange`` and ``lost``: root mean square of 255 a pixel."""
    between = torch.cdist(patches(result), patches(picture))
    scale = (3 * PATCH * PATCH) ** 0.5
    return tuple(float(between.min(axis).values.square().mean().sqrt()) / scale for axis in (1, 0))  # type: ignore[return-value]


def untrained(model: PictureModel) -> PictureModel:
    """Return the same picture's model with networks as they were drawn."""
    settings = ModelSettings(0, model.settings.kernels, model.settings.enlarge, model.settings.seed)
    bare = PictureModel(model.picture, settings)
    list(train(bare))
    return bare


def fed(model: PictureModel, picture: np.ndarray, start: str) -> np.ndarray:
    """Return what the start scale is fed, enlarged to the picture's size without any network."""
    entering = resize(to_tensor(picture[None], "cpu"), model.shapes()[model.start(start) - 1])
    return to_pictures(resize(entering, model.shapes()[-1]))[0]


class Bench:
    """Collects rows of a table; each result is measured against the picture of its model."""

    def __init__(self) -> None:
        self.lines = ["| use | picture | result | strange | lost |", "|---|---|---|---:|---:|"]

    def add(self, use: str, name: str, what: str, model: PictureModel, results: list[np.ndarray]) -> None:
        """Add the medians over results."""
        found = np.median([distances(model.picture, result) for result in results], 0)
        self.lines.append(f"| {use} | {name} | {what} | {found[0]:.1f} | {found[1]:.1f} |")


def samples(bench: Bench, name: str, model: PictureModel, bare: PictureModel, out: Path) -> None:
    """Samples from N, N-1 and N-2 at the picture's size, and from N in another; untrained beside them."""
    rows, names = [], []
    for start in ("N", "N-1", "N-2"):
        drawn = list(sample(model, range(5), start=start))
        bench.add("sample", name, start, model, drawn)
        rows.append([model.picture, *drawn])
        names.append(start)
    drawn = list(sample(bare, range(5)))
    bench.add("sample", name, "untrained, N", model, drawn)
    rows.append([model.picture, *drawn])
    write_grid(out / f"{name}-samples.png", Grid(rows, ["picture"], [*names, "untrained, N"]), cell=2.2, dpi=100)
    height, width = model.picture.shape[:2]
    wide = sample(model, [1], shape=(height, round(2.2 * width)))[0]
    tall = sample(model, [2], shape=(round(1.8 * height), width))[0]
    for what, picture in (("wide", wide), ("tall", tall)):
        bench.add("sample", name, what, model, [picture])
        Image.fromarray(picture).resize([2 * side for side in picture.shape[1::-1]], Image.Resampling.LANCZOS).save(
            out / f"{name}-{what}.png"
        )


def injections(
    bench: Bench,
    use: str,
    name: str,
    model: PictureModel,
    bare: PictureModel,
    composite: np.ndarray,
    mask: np.ndarray | None,
) -> list[list[np.ndarray]]:
    """Rows of trained, untrained and bicubic over the starts, the composite first."""
    weights = None if mask is None else soften_mask(mask)

    def shown(made: np.ndarray) -> np.ndarray:
        return made if weights is None else blend(model.picture, made, weights)

    own = to_pictures(resize(to_tensor(composite[None], "cpu"), model.shapes()[-1]))[0]
    rows, starts = [], STARTS[: model.scales - 1]
    for what, make in (
        ("trained", lambda start: inject(model, composite, start)),
        ("untrained", lambda start: inject(bare, composite, start)),
        ("bicubic", lambda start: fed(model, composite, start)),
    ):
        made = [shown(make(start)) for start in starts]
        for start, each in zip(starts, made, strict=True):
            bench.add(use, name, f"{what}, {start}", model, [each])
        rows.append([own, *made])
    bench.add(use, name, "copy", model, [own])
    return rows


def enlarged(model: PictureModel, truth: np.ndarray, out: Path) -> str:
    """Write the enlarged pictures side by side; return their table."""
    shape = truth.shape[:2]
    lanczos = np.array(Image.fromarray(model.picture).resize(shape[::-1], Image.Resampling.LANCZOS))
    pictures = {
        "bicubic": bicubic(model.picture, shape),
        "lanczos": lanczos,
        "untrained": enlarge(untrained(model)),
        "singan": enlarge(model),
        "singan, no noise": enlarge(model, noise=0),
    }
    for name, picture in pictures.items():
        Image.fromarray(picture).save(out / f"enlarged-{name.replace(', ', '-').replace(' ', '-')}.png")
    shown = {name: pictures[name] for name in ("bicubic", "untrained", "singan")} | {"truth": truth}
    write_grid(out / "enlarged.png", Grid([list(shown.values())], list(shown)), cell=6.0, dpi=110)
    return table_of(pictures, truth)


def main(
    scene: Annotated[Path, typer.Argument(help="the rocket's model")],
    face: Annotated[Path, typer.Argument(help="the astronaut's model")],
    out: Annotated[Path, typer.Option(help="folder of the sheets")] = Path("singan-uses"),
    enlarging: Annotated[Path | None, typer.Option(help="a model of train --enlarge")] = None,
    truth: Annotated[Path | None, typer.Option(help="its picture, as large as the result")] = None,
) -> None:
    """Draw and measure every use of both models."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench()
    for name, path, paint, box, by, paste, colour in (
        ("rocket", scene, painting_of_rocket, (0.46, 0.28, 0.55, 0.95), (-0.2, 0.0), moon, (215, 195, 165)),
        ("face", face, painting_of_face, (0.3, 0.1, 0.72, 0.27), (0.0, 0.12), spectacles, (20, 20, 20)),
    ):
        model = load_model(path)
        bare = untrained(model)
        samples(bench, name, model, bare, out)
        composites = {
            "paint": (painted(model.picture, paint), None),
            "edit": moved(model.picture, box, by),
            "harmonise": pasted(model.picture, paste, colour),
        }
        sheet, names = [], []
        for use, (composite, mask) in composites.items():
            sheet += injections(bench, use, name, model, bare, composite, mask)
            names += [use, "untrained", "bicubic"]
        columns = ["fed in", *STARTS[: len(sheet[0]) - 1]]
        write_grid(out / f"{name}-uses.png", Grid(sheet, columns, names), cell=2.2, dpi=100)
        for start in ("N-1", "N-2"):
            write_gif(out / f"{name}-{start}.gif", list(animate(model, 20, start=start)), seconds=2.0)
    print("\n".join(bench.lines))
    if enlarging is not None and truth is not None:
        print(enlarged(load_model(enlarging), np.array(Image.open(truth).convert("RGB")), out))


if __name__ == "__main__":
    typer.run(main)

"""SinGAN's other uses on one scene and one face, each beside its controls: sheets and a table.

    augment singan train rocket.png --max-size 96 --iterations 400 --kernels 16   # data.rocket() of scikit-image
    augment singan train face.png --max-size 72 --iterations 400 --kernels 16     # data.astronaut()[0:200, 128:328]
    python benchmarks/singan_uses.py rocket.singan.safetensors face.singan.safetensors --out DIR

Controls: ``untrained`` (the same networks as they were drawn), ``bicubic`` (what the start scale gets, enlarged
plainly), ``copy`` (the composite itself). The figures are patches' distances in both directions (Simakov et al.,
"Summarizing visual data using bidirectional similarity", CVPR 2008), root mean square of 255 over 7 x 7 pixels:
``strange``, from each patch of a result to the nearest of the picture, is small where a result is made of the picture's
textures; ``lost``, from each of the picture's to the nearest of the result, is small where all of the picture is in it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageDraw

from singanimation.flows.figures.grid import Grid, write_grid
from singanimation.flows.sheets.animation import write_gif
from singanimation.stages.singan.pyramid import resize
from singanimation.stages.singan.tensors import to_pictures, to_tensor
from singanimation.stages.singan.uses import (
    ModelSettings,
    PictureModel,
    animate,
    blend,
    inject,
    load_model,
    sample,
    soften_mask,
    train,
)

PATCH = 7
STARTS = ("N-1", "N-2", "N-3", "N-4")
ENLARGED = 4

Draw = Callable[[ImageDraw.ImageDraw, int, int], None]


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


def painting_of_rocket(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A night sky in three bands, another launch pad, and the rocket further left and shorter."""
    bands = ((30, 50, 90), (40, 62, 100), (70, 85, 110))
    for index, colour in enumerate(bands):
        draw.rectangle((0, height * index // 3, width, height * (index + 1) // 3), fill=colour)
    for left in (0.08, 0.62, 0.9):
        draw.line((left * width, 0.1 * height, left * width, height), fill=(25, 25, 28), width=width // 45)
    draw.rectangle((0.3 * width, 0.45 * height, 0.345 * width, 0.95 * height), fill=(215, 205, 190))
    draw.rectangle((0, 0.93 * height, width, height), fill=(60, 50, 45))
    for centre in (0.2, 0.42, 0.55, 0.75):
        at = centre * width, 0.9 * height
        draw.ellipse((at[0] - 6, at[1] - 6, at[0] + 6, at[1] + 6), fill=(255, 210, 120))


def painting_of_face(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A face of ellipses: hair, skin, eyes, brows, nose and mouth."""

    def ellipse(x0: float, y0: float, x1: float, y1: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse((x0 * width, y0 * height, x1 * width, y1 * height), fill=colour)

    draw.rectangle((0, 0, width, height), fill=(196, 190, 190))
    ellipse(0.2, 0.06, 0.84, 0.7, (128, 92, 58))
    ellipse(0.28, 0.24, 0.76, 0.9, (222, 170, 146))
    for left in (0.36, 0.56):
        draw.rectangle((left * width, 0.43 * height, (left + 0.12) * width, 0.45 * height), fill=(110, 75, 55))
        ellipse(left, 0.48, left + 0.11, 0.54, (245, 240, 235))
        ellipse(left + 0.03, 0.48, left + 0.08, 0.54, (60, 45, 40))
    ellipse(0.48, 0.56, 0.56, 0.66, (200, 140, 120))
    ellipse(0.4, 0.7, 0.64, 0.8, (190, 70, 70))


def painted(model: PictureModel, how: Draw) -> np.ndarray:
    """Return the painting, uint8, four times the size of the model's picture."""
    height, width = (ENLARGED * side for side in model.picture.shape[:2])
    image = Image.new("RGB", (width, height))
    how(ImageDraw.Draw(image), width, height)
    return np.array(image)


def moved(
    picture: np.ndarray, box: tuple[float, float, float, float], by: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Copy a part of a picture beside itself: the composite, and the mask bool (H, W) of where it lies.

    ``box``: left, top, right, bottom and ``by``: right, down, as shares of the picture.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(share * side) for share, side in zip(box, (width, height) * 2, strict=True))
    right, down = round(by[0] * width), round(by[1] * height)
    made, mask = picture.copy(), np.zeros((height, width), bool)
    made[y0 + down : y1 + down, x0 + right : x1 + right] = picture[y0:y1, x0:x1]
    mask[y0 + down : y1 + down, x0 + right : x1 + right] = True
    return made, mask


def pasted(picture: np.ndarray, how: Draw, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paste a flat shape of one colour; return the composite and its mask bool (H, W)."""
    height, width = picture.shape[:2]
    shape = Image.new("L", (width * ENLARGED, height * ENLARGED))
    how(ImageDraw.Draw(shape), *shape.size)
    cover = np.asarray(shape.resize((width, height), Image.Resampling.BOX), np.float32)[..., None] / 255
    made = np.rint(picture * (1 - cover) + np.array(colour) * cover).astype(np.uint8)
    return made, cover[..., 0] > 0.5


def moon(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A disk in the sky."""
    draw.ellipse((0.3 * width, 0.12 * height, 0.3 * width + 0.28 * height, 0.4 * height), fill=255)


def spectacles(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Two rings and a bridge at the astronaut's eyes."""
    thick = max(width // 36, 2)
    for left in (0.33, 0.55):
        draw.ellipse((left * width, 0.42 * height, (left + 0.17) * width, 0.58 * height), outline=255, width=thick)
    draw.line((0.5 * width, 0.48 * height, 0.55 * width, 0.48 * height), fill=255, width=thick)


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
    write_grid(out / f"{name}-samples.png", Grid(rows, ["picture"], [*names, "untrained, N"]), cell=2.6, dpi=110)
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


def main(
    scene: Annotated[Path, typer.Argument(help="the rocket's model")],
    face: Annotated[Path, typer.Argument(help="the astronaut's model")],
    out: Annotated[Path, typer.Option(help="folder of the sheets")] = Path("singan-uses"),
) -> None:
    """Draw and measure every use of both models."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench()
    for name, path, paint, box, by, paste, colour in (
        ("rocket", scene, painting_of_rocket, (0.46, 0.28, 0.55, 0.95), (-0.2, 0.0), moon, (235, 225, 60)),
        ("face", face, painting_of_face, (0.38, 0.44, 0.5, 0.56), (0.08, 0.22), spectacles, (20, 20, 20)),
    ):
        model = load_model(path)
        bare = untrained(model)
        samples(bench, name, model, bare, out)
        composites = {
            "paint": (painted(model, paint), None),
            "edit": moved(model.picture, box, by),
            "harmonise": pasted(model.picture, paste, colour),
        }
        for use, (composite, mask) in composites.items():
            rows = injections(bench, use, name, model, bare, composite, mask)
            columns = ["fed in", *STARTS[: len(rows[0]) - 1]]
            grid = Grid(rows, columns, ["trained", "untrained", "bicubic"])
            write_grid(out / f"{name}-{use}.png", grid, cell=2.6, dpi=110)
        for start in ("N-1", "N-2"):
            write_gif(out / f"{name}-{start}.gif", list(animate(model, 20, start=start)), seconds=2.0)
    print("\n".join(bench.lines))


if __name__ == "__main__":
    typer.run(main)

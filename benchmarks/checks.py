"""What the checks of a variant reject: parts of the face scrambled, skin mottled, and what should pass.

    OMP_NUM_THREADS=1 python benchmarks/checks.py ../shared/faces/faces.parquet

Known-bad variants of real edits: a window's tiles of 6 px in another order, its pixels moved roughly (deviation 4 and
2.5 px), skin mottled by 8 and 12 grey levels. To be let pass: JPEG, a shift by a pixel, 2% noise, the ``warp`` engine.
Prints the correlation of windows after registration, grey levels of mottling, and the shares called damaged. The
limits in ``stages/singan/checks.py`` come from it.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from engine_faces import load_edited
from rich.console import Console
from rich.table import Table

from singanimation.stages.sifid.trials import mild_variants, shuffled
from singanimation.stages.singan import VariantChecks, make_regenerator
from singanimation.stages.singan.checks import window_likeness
from singanimation.stages.singan.face_parts import CROP, WINDOWS, parts_of
from singanimation.stages.singan.figures.detail import blotches
from singanimation.stages.singan.figures.registration import grey, register

Window = tuple[int, int, int, int]


def scrambled(picture: np.ndarray, window: Window, rng: np.random.Generator) -> np.ndarray:
    """Return the picture with the window's tiles of 6 px in another order."""
    top, left, height, width = window
    result = picture.copy()
    result[top : top + height, left : left + width] = shuffled(result[top : top + height, left : left + width], rng, 6)
    return result


def rough(picture: np.ndarray, window: Window, rng: np.random.Generator, pixels: float) -> np.ndarray:
    """Return the picture with the window's pixels moved by a deviation of ``pixels``, not smoothly."""
    top, left, height, width = window
    inside = np.zeros((CROP, CROP), np.float32)
    inside[top + 2 : top + height - 2, left + 2 : left + width - 2] = 1
    inside = cv2.GaussianBlur(inside, (0, 0), 2)
    across, down = (cv2.GaussianBlur(rng.normal(0, 1, inside.shape).astype(np.float32), (0, 0), 2) for _ in range(2))
    rows, columns = np.mgrid[:CROP, :CROP].astype(np.float32)
    moved = (columns + across * inside * pixels / across.std(), rows + down * inside * pixels / down.std())
    return cv2.remap(picture, *moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def mottled(picture: np.ndarray, rng: np.random.Generator, levels: float) -> np.ndarray:
    """Return the picture with spots of about 6 px and a deviation of ``levels`` on its skin."""
    spots = cv2.GaussianBlur(rng.normal(0, 1, (CROP, CROP)).astype(np.float32), (0, 0), 2.5)
    spots *= levels / spots.std() * parts_of(CROP)["skin"]
    return np.clip(picture + spots[..., None], 0, 255).astype(np.uint8)


def variants_of(picture: np.ndarray, seed: int) -> dict[str, list[np.ndarray]]:
    """Return variants by kind."""
    rng = np.random.default_rng(seed)
    kinds = {name: [variant] for name, variant in mild_variants(picture, seed).items()}
    kinds["warp"] = list(make_regenerator("warp").fit(picture[None], [seed], ["N-1"]).draw(0, "N-1", range(4)))
    for name, window in WINDOWS.items():
        part = name.split()[1]
        kinds.setdefault(f"{part} scrambled", []).append(scrambled(picture, window, rng))
        for pixels in (4.0, 2.5):
            kinds.setdefault(f"{part} rough, {pixels:g} px", []).append(rough(picture, window, rng, pixels))
    return kinds | {f"skin mottled by {levels}": [mottled(picture, rng, levels)] for levels in (8, 12)}


def main(
    faces: Annotated[Path, typer.Argument(help="a Parquet of faces")],
    count: Annotated[int, typer.Option(help="faces")] = 20,
) -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    checks, found = VariantChecks(), {}
    for number, face in enumerate(load_edited(faces, count)):
        edit = face.edits[0]
        for kind, variants in variants_of(edit, number).items():
            for variant in variants:
                moved = register(edit, variant)
                least = min(window_likeness(grey(edit), moved, window) for window in WINDOWS.values())
                damaged = checks.damaged(edit, variant) is not None
                found.setdefault(kind, []).append((least, blotches(edit, variant), damaged))
    table = Table("kind", "variants", "least correlation, 5 50 95%", "mottling, 5 50 95%", "damaged")
    for kind, rows in found.items():
        values = np.array(rows, float)
        likeness, spots = (np.percentile(values[:, column], [5, 50, 95]) for column in (0, 1))
        cells = (" ".join(f"{value:.2f}" for value in likeness), " ".join(f"{value:.1f}" for value in spots))
        table.add_row(kind, str(len(values)), *cells, f"{values[:, 2].mean():.0%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)

"""What the checks of a variant reject: parts of the face scrambled, skin mottled, and what should pass.

    OMP_NUM_THREADS=1 python benchmarks/checks.py ../shared/faces/faces.parquet

Known-bad variants of real edits: a window's tiles of 6 px in another order, its pixels moved roughly (deviation 4, 2.5
and 1.5 px), smeared sideways over 7 px, blurred by 2 px; skin mottled by 8 and 12 grey levels. To be let pass: JPEG, a
shift by a pixel, 2% noise, the ``warp`` and ``patch`` engines, and nearly all of ``fast``. Prints the likeness of the
least like window (of the known-bad, of the one that was spoilt), grey levels of mottling, and the shares called
damaged. The limits in ``stages/singan/checks.py`` come from it.
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
from singanimation.stages.singan.checks import fine_detail, window_likeness
from singanimation.stages.singan.face_parts import CROP, WINDOWS, parts_of
from singanimation.stages.singan.figures.detail import blotches, own_bands, registered_bands

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


def smeared(picture: np.ndarray, window: Window, pixels: int = 7) -> np.ndarray:
    """Return the picture with the window drawn out sideways over ``pixels``."""
    return _inside(picture, cv2.blur(picture, (pixels, 1)), window)


def softened(picture: np.ndarray, window: Window, sigma: float = 2.0) -> np.ndarray:
    """Return the picture with the window blurred by a Gaussian of ``sigma`` pixels."""
    return _inside(picture, cv2.GaussianBlur(picture, (0, 0), sigma), window)


def _inside(picture: np.ndarray, spoilt: np.ndarray, window: Window) -> np.ndarray:
    top, left, height, width = window
    inside = np.zeros((CROP, CROP, 1), np.float32)
    inside[top : top + height, left : left + width] = 1
    return np.rint(picture * (1 - inside) + spoilt * inside).astype(np.uint8)


def mottled(picture: np.ndarray, rng: np.random.Generator, levels: float) -> np.ndarray:
    """Return the picture with spots of about 6 px and a deviation of ``levels`` on its skin."""
    spots = cv2.GaussianBlur(rng.normal(0, 1, (CROP, CROP)).astype(np.float32), (0, 0), 2.5)
    spots *= levels / spots.std() * parts_of(CROP)["skin"]
    return np.clip(picture + spots[..., None], 0, 255).astype(np.uint8)


Spoilt = tuple[np.ndarray, str | None]
"""A variant, and the window that was spoilt, None for the whole picture."""


def variants_of(picture: np.ndarray, seed: int) -> dict[str, list[Spoilt]]:
    """Return variants by kind."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[Spoilt]] = {name: [(variant, None)] for name, variant in mild_variants(picture, seed).items()}
    for engine in ("warp", "patch", "fast"):
        fitted = make_regenerator(engine).fit(picture[None], [seed], ["N-1", "N-2"])
        for start in ("N-1", "N-2"):
            drawn = fitted.draw(0, start, range(10 * seed, 10 * seed + 4))
            kinds[f"{engine} {start}"] = [(variant, None) for variant in drawn]
    for name, window in WINDOWS.items():
        part, spoilt = name.split()[1], {}
        spoilt["scrambled"] = scrambled(picture, window, rng)
        for pixels in (4.0, 2.5, 1.5):
            spoilt[f"rough, {pixels:g} px"] = rough(picture, window, rng, pixels)
        spoilt |= {"smeared": smeared(picture, window), "blurred": softened(picture, window)}
        for kind, variant in spoilt.items():
            kinds.setdefault(f"{part} {kind}", []).append((variant, name))
    for levels in (8, 12):
        kinds[f"skin mottled by {levels}"] = [(mottled(picture, rng, levels), None)]
    return kinds


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
            for variant, spoilt in variants:
                own, drawn = (fine_detail(each) for each in (own_bands(edit), registered_bands(edit, variant)))
                windows = [WINDOWS[spoilt]] if spoilt else WINDOWS.values()
                least = min(window_likeness(own, drawn, window) for window in windows)
                damaged = checks.damaged(edit, variant) is not None
                found.setdefault(kind, []).append((least, blotches(edit, variant), damaged))
    table = Table("kind", "variants", "likeness, 5 50 95%", "mottling, 5 50 95%", "damaged")
    for kind, rows in found.items():
        values = np.array(rows, float)
        likeness, spots = (np.percentile(values[:, column], [5, 50, 95]) for column in (0, 1))
        cells = (" ".join(f"{value:.2f}" for value in likeness), " ".join(f"{value:.1f}" for value in spots))
        table.add_row(kind, str(len(values)), *cells, f"{values[:, 2].mean():.0%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)

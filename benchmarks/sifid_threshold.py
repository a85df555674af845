"""Calibrate the SIFID threshold of a feature set on edited faces: known-bad variants against mild ones.

    python benchmarks/sifid_threshold.py ../shared/faces/faces.parquet --features embedded

Prints percentiles per kind, what the limit in use rejects of it, and the highest limit that the known-bad allow; the
figures are in ``stages/sifid/filter.py``. ``untrained`` and ``fast`` are no kinds to calibrate by: the first is dull,
not broken, and the limit is chosen so that it loses many and the second few.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from engine_faces import load_edited
from rich.console import Console
from rich.table import Table

from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.sifid.filter import RELATIVE, THRESHOLDS, SifidFilter
from singanimation.stages.sifid.inception import InceptionStem
from singanimation.stages.sifid.trials import bad_variants, calibrate, mild_variants
from singanimation.stages.singan import make_regenerator
from singanimation.stages.singan.engine import EngineOptions
from singanimation.stages.singan.fast.engine import FastRegenerator
from singanimation.stages.singan.fast.training import FastRecipe

BAD = ("blurred", "patches shuffled", "fast from N")
MILD = ("re-encoded", "shifted", "2% noise")


def main(
    faces: Annotated[Path, typer.Argument(help="a Parquet of faces with a column `image`")],
    features: Annotated[str, typer.Option(help="embedded, inception-64 or inception-192")] = "embedded",
    count: Annotated[int, typer.Option(help="faces")] = 30,
    gans: Annotated[int, typer.Option(help="faces of which the fast engine also draws variants")] = 4,
) -> None:
    """Measure, print percentiles per kind, and the threshold."""
    torch.set_num_threads(1)
    chosen = (
        EmbeddedEstimator.load("cpu").features if features == "embedded" else InceptionStem.load(int(features[10:]))
    )
    values: dict[str, list[float]] = {}
    for number, edited in enumerate(load_edited(faces, count)):
        face = edited.edits[0]
        sifid = SifidFilter(features, chosen, 0.0, relative=features in RELATIVE)
        variants = {name: [each] for name, each in (bad_variants(face, number) | mild_variants(face, number)).items()}
        if number < gans:
            fitted = make_regenerator("fast").fit(face[None], [number], ["N", "N-1", "N-2"])
            for start in ("N", "N-1", "N-2"):
                variants[f"fast from {start}"] = list(fitted.draw(0, start, range(4)))
            # what a GAN of one iteration draws, at the same diversity: dull, and to be told from a trained one's
            untrained = FastRegenerator(EngineOptions(warm_start=False), replace(FastRecipe(), from_scratch=1))
            fitted = untrained.fit(face[None], [number], ["N-1", "N-2"])
            for start in ("N-1", "N-2"):
                variants[f"untrained from {start}"] = list(fitted.draw(0, start, range(4)))
        for name, drawn in variants.items():
            values.setdefault(name, []).extend(sifid.measure(face, np.stack(drawn)).tolist())
    limit = THRESHOLDS[features] or np.inf
    table = Table("kind", "5%", "50%", "95%", f"above {limit:g}", title=f"SIFID on {features}, {count} faces")
    for name, each in values.items():
        above = f"{(np.array(each) > limit).mean():.0%} of {len(each)}"
        table.add_row(name, *(f"{value:.4f}" for value in np.percentile(each, [5, 50, 95])), above)
    known = {name: np.array(each) for name, each in values.items()}
    found = calibrate({name: known[name] for name in BAD if name in known}, {name: known[name] for name in MILD})
    console = Console()
    console.print(table)
    console.print(f"highest limit {found.threshold:.4f}\nrejected {found.rejected}\naccepted {found.accepted}")


if __name__ == "__main__":
    typer.run(main)

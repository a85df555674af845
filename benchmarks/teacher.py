"""Measure the geometry teacher, the ceiling of the shipped generator, and render its contact sheets.

    python benchmarks/teacher.py ../shared/faces/faces.parquet --judge ../shared/prototype --sheets sheets

Prints, per AU: asked, measured by the packaged AU network (and by each other judge), the share of faces on which it
rises, the change around eyes and mouth and in the background, and what else moved.
"""

import json
import runpy
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from singanimation.flows.evaluation.unit_tables import table_of_edits
from singanimation.flows.sheets.model_sheets import write_emotions, write_path, write_units
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import MARGIN
from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.action_units.training.faces import FaceCrops, load_faces
from singanimation.stages.expansion.evaluation.figures import Edit, EditedFaces, Judge, evaluate_units
from singanimation.stages.expansion.geometry import FaceGeometry


def main(
    faces: Annotated[Path, typer.Argument(help="A Parquet of aligned faces with landmarks and AUs.")],
    judge: Annotated[
        list[Path] | None, typer.Option(help="AU weights, or a folder with aunet.py and au_net.pt.")
    ] = None,
    split: Annotated[str, typer.Option()] = "validation",
    count: Annotated[int, typer.Option(help="Faces, spread over the split.")] = 60,
    units: Annotated[str, typer.Option(help="AUs, separated by commas.")] = ",".join(AU_NAMES),
    sheets: Annotated[Path | None, typer.Option(help="Write three contact sheets into this folder.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    chosen = spread(load_faces(faces, split), count)
    embedded = EmbeddedEstimator.load()
    judges: dict[str, Judge] = {"embedded": lambda crops: embedded(crops).action_units}
    for path in judge or []:
        judges[path.stem] = _judge(path)
    edit = teacher_edit(chosen)
    if units:
        figures = evaluate_units(edit, judges, chosen, units.split(","))
        Console(width=200).print(table_of_edits(figures, f"The teacher on {len(chosen.crops)} {split} faces"))
        if output:
            output.write_text(json.dumps([asdict(one) for one in figures], indent=2))
    if sheets:
        write_emotions(sheets / "emotions.png", edit, chosen.crops[:12], chosen.units[:12])
        write_units(sheets / "units.png", edit, chosen.crops[:6], chosen.units[:6])
        write_path(sheets / "path.png", edit, chosen.crops[:6], chosen.units[:6])


def spread(faces: FaceCrops, count: int) -> EditedFaces:
    """Draw ``count`` faces, always the same ones."""
    chosen = np.random.default_rng(0).permutation(len(faces))[:count]
    return EditedFaces(faces.crops()[chosen], faces.action_units[chosen], faces.landmarks[chosen] - MARGIN)


def teacher_edit(faces: EditedFaces) -> Edit:
    """The teacher as an editor; it sees the labelled AUs and landmarks."""
    teacher = FaceGeometry()

    def edit(index: int, targets: np.ndarray) -> np.ndarray:
        picture = torch.from_numpy(faces.crops[index].copy()).permute(2, 0, 1).float() / 255
        change = torch.from_numpy(targets - faces.units[index]).float().clamp(-1, 1)
        points = torch.from_numpy(faces.landmarks[index]).float()
        count = len(targets)
        done = teacher.edit(picture.expand(count, -1, -1, -1), points.expand(count, -1, -1), change)
        return (done.picture * 255).round().byte().permute(0, 2, 3, 1).numpy()

    return edit


def _judge(path: Path) -> Judge:
    if path.is_file():
        estimator = EmbeddedEstimator.load(path=path)
        return lambda crops: estimator(crops).action_units
    network = runpy.run_path(str(path / "aunet.py"))["AUNet"]().eval()
    weights = torch.load(path / "au_net.pt", map_location="cpu", weights_only=True)
    network.load_state_dict({name: value.float() for name, value in weights.items()})

    @torch.inference_mode()
    def judged(crops: np.ndarray) -> np.ndarray:
        pictures = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1
        both = [(network(part) + network(part.flip(3))) / 2 for part in pictures.split(64)]
        return torch.cat(both).numpy()

    return judged


if __name__ == "__main__":
    typer.run(main)

"""How sharp what a generator paints is: eyes that open, closed lids, mouths, beside the teacher's own picture.

    python benchmarks/painted_detail.py ../shared/faces/faces.parquet --ganimation A.safetensors

Prints for each generator (the packaged one is always the first) and each edit, where the teacher paints: fine detail
(mean absolute difference to the 3 px mean) as a share of the teacher's, and the mean absolute difference to the
teacher's picture, 0..255. A blur lowers the first, sharp detail in the wrong place raises the second.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from teacher import spread
from torch import Tensor

from singanimation.pipeline.expressions import PROTOTYPES, au_vector
from singanimation.stages.action_units.training.faces import load_faces
from singanimation.stages.expansion.checkpoints import load_generator
from singanimation.stages.expansion.evaluation.figures import EditedFaces
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.training.losses import fine_detail

TARGETS = {name: PROTOTYPES[name] for name in ("surprise", "fear", "happiness")} | {
    "closed eyes": au_vector({"AU45": 1.0})
}


def main(
    faces: Annotated[Path, typer.Argument(help="A Parquet of aligned faces with landmarks and AUs.")],
    ganimation: Annotated[list[Path] | None, typer.Option(help="Other generators, to stand beside.")] = None,
    split: Annotated[str, typer.Option()] = "validation",
    count: Annotated[int, typer.Option(help="Faces, drawn from the split, always the same ones.")] = 100,
) -> None:
    """Measure and print."""
    chosen = spread(load_faces(faces, split), count)
    answers = {name: _answer(chosen, target) for name, target in TARGETS.items()}
    table = Table("generator", "edit", "detail", "difference")
    for path in (None, *(ganimation or [])):
        network = load_generator(path).network.eval()
        for name, answer in answers.items():
            table.add_row("packaged" if path is None else path.stem, name, *_cells(network, answer))
    Console().print(f"{len(chosen.crops)} {split} faces, where the teacher paints", table)


def _answer(faces: EditedFaces, target: np.ndarray) -> Mapping[str, Tensor]:
    source = torch.from_numpy(faces.crops).permute(0, 3, 1, 2).float() / 255
    landmarks = torch.from_numpy(faces.landmarks).float()
    change = (torch.from_numpy(target) - torch.from_numpy(faces.units)).float().clamp(-1, 1)
    edit = FaceGeometry().edit(source, landmarks, change)
    return {"source": source, "change": change, "picture": edit.picture, "where": edit.fill}


@torch.no_grad()
def _cells(network: torch.nn.Module, answer: Mapping[str, Tensor]) -> tuple[str, str]:
    made = (network(answer["source"] * 2 - 1, answer["change"]).picture + 1) / 2
    where = answer["where"]

    def mean(values: Tensor) -> float:
        return float((values.mean(1, keepdim=True) * where).sum() / where.sum())

    detail = mean(fine_detail(made).abs()) / mean(fine_detail(answer["picture"]).abs())
    return f"{detail:.2f}", f"{255 * mean((made - answer['picture']).abs()):.1f}"


if __name__ == "__main__":
    typer.run(main)

"""Judge edits by their landmarks, from which the labels themselves were computed.

    python benchmarks/landmark_judge.py ../shared/faces/faces.parquet --warped ../shared/faces/warped.parquet \
        --mediapipe ENVIRONMENT/bin/python

The labels are a function of MediaPipe's landmarks. A network that reads pictures has to learn the finding of landmarks
and that function at once, and action units that few photographs show are hardly learnt. Here the function alone is
learnt, from labelled landmarks, and applied to landmarks found on the edits: by the packaged estimator and, where
--mediapipe names a Python that can import mediapipe 0.10, by MediaPipe's face mesh. "moved" applies it to where the
geometry wants the landmarks to be. Prints how well each reads the labels of photographs (and of warped pictures), then
what it says of edits to +1.
"""

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from teacher import spread
from torch import Tensor, nn

from singanimation.flows.evaluation.models import editor_edit
from singanimation.pipeline.expressions import AU_INDEX, AU_NAMES
from singanimation.stages.action_units.estimators import EmbeddedEstimator
from singanimation.stages.action_units.evaluation import correlation
from singanimation.stages.action_units.training.faces import FaceCrops, load_faces, load_warped
from singanimation.stages.expansion.editor import ExpressionEditor
from singanimation.stages.expansion.evaluation.figures import LITTLE, WANTED, EditedFaces, Judge, evaluate_units
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame, mirrored

STEPS, BATCH, RATE = 2500, 128, 2e-3
ENLARGED, BORDER = 384, 96
"""MediaPipe is shown crops enlarged to so many pixels, with a border that mirrors them: it looks for whole heads."""

Reading = Callable[[np.ndarray], np.ndarray]
"""Landmarks (N, 478, 2) in any pixels -> AUs (N, 17)."""
Finder = Callable[[np.ndarray], np.ndarray]
"""Crops uint8 (N, 128, 128, 3) -> landmarks (N, 478, 2), pixels, NaN where there is no face."""


def main(
    faces: Annotated[Path, typer.Argument(help="A Parquet of aligned faces with landmarks and AUs.")],
    warped: Annotated[Path | None, typer.Option(help="A Parquet of warped faces, read besides.")] = None,
    mediapipe: Annotated[Path | None, typer.Option(help="A Python with mediapipe 0.10.")] = None,
    ganimation: Annotated[Path | None, typer.Option(help="Another generator; default: shipped.")] = None,
    count: Annotated[int, typer.Option(help="Validation faces that are edited, always the same ones.")] = 60,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    reading = learn(load_faces(faces, "train"))
    estimator = EmbeddedEstimator.load()
    finders: dict[str, Finder] = {"embedded": lambda crops: estimator.find_eyes(crops)[1]}
    if mediapipe:
        finders["mediapipe"] = lambda crops: found_by_mediapipe(mediapipe, crops)
    lost: list[int] = []

    def judge(crops: np.ndarray, find: Finder) -> np.ndarray:
        points = find(crops)
        missing = np.isnan(points).any((1, 2))
        if missing.any():
            points[missing] = finders["embedded"](crops[missing])
            lost.append(int(missing.sum()))
        return reading(points)

    judges: dict[str, Judge] = {name: partial(judge, find=find) for name, find in finders.items()}
    data = load_faces(faces, "validation")
    console = Console(width=150)
    console.print(read_photographs(data, reading, judges, load_warped(warped, "validation") if warped else None))
    console.print(read_edits(spread(data, count), reading, judges, ExpressionEditor.load(ganimation)))
    if lost:
        console.print(f"{sum(lost)} faces were lost by a finder and are read at the packaged estimator's landmarks.")


def learn(faces: FaceCrops) -> Reading:
    """Learn the AUs from labelled landmarks, and from their mirror images."""
    torch.manual_seed(0)
    mirror = FaceGeometry().mirror
    points, units = _in_face_units(faces.landmarks), torch.from_numpy(faces.action_units)
    mean, spread_ = points.mean(0), points.std(0).clamp(min=0.004)
    both, units = torch.cat([points, mirrored(points, mirror)]), torch.cat([units, units])
    hidden = (nn.Linear(2 * 478, 192), nn.SiLU(), nn.Dropout(0.1), nn.Linear(192, 96), nn.SiLU())
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), *hidden, nn.Linear(96, len(AU_NAMES)), nn.Sigmoid())
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(both), (BATCH,))
        error = network((both[chosen] + 0.003 * torch.randn(BATCH, 478, 2) - mean) / spread_) - units[chosen]
        loss = ((error**2 + 0.3 * error.abs()) * (1 + 6 * units[chosen])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()

    @torch.no_grad()
    def reading(landmarks: np.ndarray) -> np.ndarray:
        points = _in_face_units(landmarks)
        both = (network((one - mean) / spread_) for one in (points, mirrored(points, mirror)))
        return reduce(add, both).numpy() / 2

    return reading


def found_by_mediapipe(python: Path, crops: np.ndarray) -> np.ndarray:
    """Landmarks (N, 478, 2) in pixels of the enlarged crops, found by mediapipe in the environment of ``python``."""
    large = [cv2.resize(crop, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC) for crop in crops]
    framed = [cv2.copyMakeBorder(crop, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REFLECT) for crop in large]
    with tempfile.TemporaryDirectory() as folder:
        pictures, landmarks = Path(folder, "pictures.npy"), Path(folder, "landmarks.npy")
        np.save(pictures, np.stack(framed))
        script = Path(__file__).with_name("mediapipe_landmarks.py")
        subprocess.run([python, script, pictures, landmarks], check=True, capture_output=True)
        return np.load(landmarks)


def read_photographs(data: FaceCrops, reading: Reading, judges: Mapping[str, Judge], bent: FaceCrops | None) -> Table:
    """A row per AU: correlation with the labels, of the labelled landmarks and of those that each finder finds."""
    table = Table("AU", "labelled landmarks", title=f"Correlation with the labels, {len(data)} validation faces")
    columns = [(reading(data.landmarks), data.action_units)]
    for kind, some in (("", data), (", warped", bent)):
        if some is None:
            continue
        for name, judge in judges.items():
            table.add_column(f"{name}{kind}")
            columns.append((judge(some.crops()), some.action_units))
    for unit, index in AU_INDEX.items():
        table.add_row(unit, *(_correlation(read[:, index], label[:, index]) for read, label in columns))
    return table


def read_edits(faces: EditedFaces, reading: Reading, judges: Mapping[str, Judge], editor: ExpressionEditor) -> Table:
    """A row per AU: the mean change asked, where the geometry moves the landmarks, and as each finder finds them."""
    teacher = FaceGeometry()
    figures = evaluate_units(editor_edit(editor, faces), judges, faces)
    table = Table("AU", "asked", "wanted", "moved", *judges, title=f"Edits to +1 of {len(faces.crops)} faces")
    for one in figures:
        moved = f"{_moved(teacher, faces, reading, one.unit):+.2f}"
        wanted = f"{WANTED[one.unit]:.2f}" if one.unit in WANTED else ""
        table.add_row(one.unit, f"{one.asked:.2f}", wanted, moved, *(f"{one.measured[name]:+.2f}" for name in judges))
    return table


def _moved(teacher: FaceGeometry, faces: EditedFaces, reading: Reading, unit: str) -> float:
    column = AU_INDEX[unit]
    chosen = faces.units[:, column] < LITTLE
    landmarks = torch.from_numpy(faces.landmarks[chosen])
    change = torch.zeros(len(landmarks), len(AU_NAMES))
    change[:, column] = torch.from_numpy(1 - faces.units[chosen, column])
    pictures = torch.from_numpy(faces.crops[chosen]).permute(0, 3, 1, 2) / 255
    after = teacher.edit(pictures, landmarks, change).landmarks
    return float((reading(after.numpy()) - reading(landmarks.numpy()))[:, column].mean())


def _in_face_units(landmarks: np.ndarray) -> Tensor:
    points = torch.from_numpy(np.asarray(landmarks, np.float32))
    return face_frame(points).to_face(points)


def _correlation(read: np.ndarray, label: np.ndarray) -> str:
    found = correlation(read, label)
    return "constant" if found is None else f"{found:.2f}"


if __name__ == "__main__":
    typer.run(main)

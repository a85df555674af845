"""Tight face crops in class folders: synthetic pictures cannot be told from real ones by their borders.

Edits of the eyes alone: those of mouth and jaw reach the border of so tight a frame, and may be told by what they show.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from singanimation.flows.job.pool import LOADER
from singanimation.flows.report.thumbnails import decoded

EDGE, RING, FACES = 96, 8, 28


def write_faces(folder: Path) -> dict[str, np.ndarray]:
    """One face in ``FACES`` tight frames, each a little turned, shifted, larger and brighter, as PNG files."""
    random = np.random.default_rng(0)
    (folder / "happiness").mkdir(parents=True)
    faces = {}
    for index in range(FACES):
        turn = cv2.getRotationMatrix2D((224, 118), float(random.uniform(-6, 6)), float(random.uniform(0.68, 0.8)))
        turn[:, 2] += np.array([EDGE / 2, EDGE / 2]) - (224, 118) + random.uniform(-4, 4, 2)
        face = cv2.warpAffine(astronaut(), turn, (EDGE, EDGE), flags=cv2.INTER_AREA)
        face = np.clip(face * random.uniform(0.8, 1.1) + random.normal(0, 2, face.shape), 0, 255).astype(np.uint8)
        name = f"happiness/{index:02d}.png"
        cv2.imwrite(str(folder / name), face[..., ::-1])
        faces[name] = face
    return faces


def border(picture: np.ndarray) -> np.ndarray:
    """The outer 8 px in blocks of 8 x 8: their means, and how rough they are along and across."""
    grey = cv2.resize(picture, (EDGE, EDGE)).mean(2)
    found = []
    for top in range(0, EDGE, RING):
        for left in range(0, EDGE, RING):
            if min(top, left) == 0 or max(top, left) == EDGE - RING:
                block = grey[top : top + RING, left : left + RING]
                found += [block.mean(), np.abs(np.diff(block, axis=0)).mean(), np.abs(np.diff(block, axis=1)).mean()]
    return np.array(found)


def told_apart(real: list[np.ndarray], made: list[np.ndarray]) -> float:
    """The accuracy of a logistic regression on borders, over pairs of a real and a made picture not learnt from."""
    features = np.stack([border(picture) for picture in (*real, *made)])
    labels = np.repeat([0.0, 1.0], len(real))
    group = np.tile(np.arange(len(real)), 2)
    right = []
    for fold in range(4):
        learn, test = group % 4 != fold, group % 4 == fold
        mean, spread = features[learn].mean(0), features[learn].std(0) + 1e-6
        x = torch.tensor((features - mean) / spread, dtype=torch.float32)
        y = torch.tensor(labels, dtype=torch.float32)
        weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
        optimiser = torch.optim.Adam([weights], lr=0.05, weight_decay=0.02)
        for _ in range(150):
            optimiser.zero_grad()
            logits = x[learn] @ weights[1:] + weights[0]
            torch.nn.functional.binary_cross_entropy_with_logits(logits, y[learn]).backward()
            optimiser.step()
        right += ((x[test] @ weights[1:] + weights[0] > 0) == (y[test] > 0.5)).tolist()
    return float(np.mean(right))


@pytest.mark.parametrize(("frame", "low", "high"), [("auto", 0.0, 0.72), ("crop", 0.9, 1.0)])
def test_borders_tell_real_from_synthetic_only_where_the_frame_is_another(
    augmented, rows_of, tmp_path: Path, frame: str, low: float, high: float
) -> None:
    faces = write_faces(tmp_path / "faces")
    options = {"per_image": 1, "edits": 1, "engine": "warp", "expressions": "AU05,AU07", "workers": 2}
    augmented(LOADER, input=str(tmp_path / "faces"), output=tmp_path / "out", frame=frame, **options)
    made = {
        row["source_path"]: decoded(row["image"]["bytes"]) for row in rows_of(tmp_path / "out") if row["kind"] == "edit"
    }
    assert len(made) >= FACES - 4
    accuracy = told_apart([faces[path] for path in made], list(made.values()))
    assert low <= accuracy <= high, accuracy

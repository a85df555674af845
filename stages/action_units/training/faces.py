"""Faces for training and evaluation: a Parquet like faces.parquet, in memory as crops with a margin."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import AU_NAMES
from singanimation.pipeline.face.framing import CROP_SIZE, CROP_WITH_MARGIN, MARGIN, apply
from singanimation.pipeline.face.mesh import POINTS
from singanimation.stages.action_units.warp import warp

if TYPE_CHECKING:
    import pyarrow as pa

FACE_SIZE = 256
WIDE_SIZE = 192

_SCALE = CROP_SIZE / 176
_CENTRE = np.array([128.0, 134.0])
TO_CROP_WITH_MARGIN = np.array(
    [[_SCALE, 0, CROP_WITH_MARGIN / 2 - _SCALE * _CENTRE[0]], [0, _SCALE, CROP_WITH_MARGIN / 2 - _SCALE * _CENTRE[1]]]
)
"""Takes the 256 px picture of a faces.parquet to its crop with margin (continuous coordinates)."""


@dataclass(frozen=True)
class FaceCrops:
    """N faces in canonical framing with a margin of 16 px on each side.

    ``pictures`` uint8 (N, 160, 160, 3) RGB; ``action_units`` float32 (N, 17) in 0..1; ``landmarks`` float32
    (N, 478, 2) in pixels of the picture, ``blendshapes`` float32 (N, B) in 0..1: NaN where unknown;
    ``warped`` bool (N,): made by landmark warping; ``blendshape_names``: B names; ``face_ids``: N names, of a warped
    face that of the photograph it was made of, or none where the file has none.
    """

    pictures: np.ndarray
    action_units: np.ndarray
    landmarks: np.ndarray
    blendshapes: np.ndarray
    warped: np.ndarray
    blendshape_names: tuple[str, ...]
    face_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def crops(self) -> np.ndarray:
        """Return the crops without their margin: uint8 (N, 128, 128, 3)."""
        return self.pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def decode_picture(data: bytes, size: int, where: str) -> np.ndarray:
    """Return uint8 (size, size, 3) RGB; raises DatasetError when the bytes are no such picture."""
    found, picture = "no picture", None
    try:
        with Image.open(io.BytesIO(data)) as opened:  # its head alone, so that nothing huge is decoded
            found = f"a picture of {opened.width}x{opened.height}"
            right = opened.size == (size, size)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if right else None
    except (TypeError, ValueError, OSError, SyntaxError, Image.DecompressionBombError, cv2.error):
        pass
    if picture is None or picture.shape != (size, size, 3):
        raise DatasetError(f"{where}: the column image holds {found}, expected one of {size}x{size}.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_split(path: Path, split: str, columns: list[str]) -> tuple[pd.DataFrame, dict]:
    """Return one split's rows of a Parquet of faces, and the file's metadata (names of the blendshapes)."""
    import pyarrow as pa

    schema = _schema(path)
    wanted = [column for column in columns if column in schema.names]
    try:
        frame = pd.read_parquet(path, columns=wanted)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet ({error}); is it complete?") from error
    frame = cast(pd.DataFrame, frame[frame["split"] == split]).reset_index(drop=True)
    if frame.empty:
        raise DatasetError(f"{path} has no rows whose split is {split!r}.")
    return frame, schema.metadata or {}


def _schema(path: Path) -> "pa.Schema":
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DatasetError(f"{path} is no file; give a Parquet with the columns of faces.parquet.")
    try:
        schema = pq.read_schema(path)
    except Exception as error:
        raise DatasetError(f"{path} cannot be read as Parquet ({error}).") from error
    missing = sorted({"image", "action_units", "split"} - set(schema.names))
    if missing:
        raise DatasetError(f"{path} lacks the column(s) {', '.join(missing)}, which a Parquet of faces needs.")
    return schema


def check_landmarks(path: Path) -> None:
    """Raise DatasetError where a Parquet of faces has no column landmarks."""
    if "landmarks" not in _schema(path).names:
        raise DatasetError(f"{path} lacks the column landmarks, which the aligner learns from.")


def _column(frame: pd.DataFrame, name: str, width: int, path: Path) -> np.ndarray:
    """Return a column of lists as float32 (N, width)."""
    try:
        values = np.stack(frame[name].to_list()).astype(np.float32)
    except (TypeError, ValueError):
        values = np.empty((0, 0), np.float32)
    if values.shape != (len(frame), width):
        raise DatasetError(f"{path}: {name} must be {width} numbers in every row.")
    return values


def _units(frame: pd.DataFrame, path: Path) -> np.ndarray:
    units = _column(frame, "action_units", len(AU_NAMES), path)
    if not np.isfinite(units).all() or units.min() < 0 or units.max() > 1:
        raise DatasetError(f"{path}: action_units must be {len(AU_NAMES)} numbers in 0..1 in every row.")
    return units


def _ids(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(frame["face_id"].astype(str)) if "face_id" in frame else ()


def load_faces(path: Path, split: str) -> FaceCrops:
    """Read one split of a Parquet like faces.parquet (256 px faces); landmarks and blendshapes may be absent."""
    frame, metadata = read_split(path, split, ["image", "action_units", "landmarks", "blendshapes", "split", "face_id"])
    faces = [decode_picture(data, FACE_SIZE, f"{path}, row {row}") for row, data in enumerate(frame["image"])]
    pictures = np.stack([warp(face, TO_CROP_WITH_MARGIN, CROP_WITH_MARGIN, cv2.BORDER_REFLECT) for face in faces])
    landmarks = np.full((len(frame), POINTS, 2), np.nan, np.float32)
    if "landmarks" in frame:
        flat = _column(frame, "landmarks", 2 * POINTS, path)
        landmarks = apply(TO_CROP_WITH_MARGIN, flat.reshape(-1, POINTS, 2) * FACE_SIZE)
    names = tuple(json.loads(metadata[b"blendshapes"])) if b"blendshapes" in metadata else ()
    blendshapes = np.zeros((len(frame), 0), np.float32)
    if "blendshapes" in frame and names:
        blendshapes = _column(frame, "blendshapes", len(names), path)
    plain = np.zeros(len(frame), bool)
    return FaceCrops(pictures, _units(frame, path), landmarks, blendshapes, plain, names, _ids(frame))


def load_yaw(path: Path, split: str) -> np.ndarray:
    """Return how far the faces of a split are turned, float32 (N,) degrees, in the order of ``load_faces``."""
    frame, _ = read_split(path, split, ["yaw", "split"])
    if "yaw" not in frame:
        raise DatasetError(f"{path} has no column yaw (degrees), by which faces that look ahead are told.")
    return frame["yaw"].to_numpy(np.float32)


def load_warped(path: Path, split: str) -> FaceCrops:
    """Read one split of a Parquet like warped.parquet: 160 px crops and action units, no landmarks."""
    frame, _ = read_split(path, split, ["image", "action_units", "split", "face_id"])
    crops = [decode_picture(data, CROP_WITH_MARGIN, f"{path}, row {row}") for row, data in enumerate(frame["image"])]
    landmarks = np.full((len(frame), POINTS, 2), np.nan, np.float32)
    blendshapes = np.zeros((len(frame), 0), np.float32)
    warped = np.ones(len(frame), bool)
    return FaceCrops(np.stack(crops), _units(frame, path), landmarks, blendshapes, warped, (), _ids(frame))


def join(real: FaceCrops, warped: FaceCrops) -> FaceCrops:
    """Put two sets in one; the second's unknown blendshapes become NaN."""
    unknown = np.full((len(warped), len(real.blendshape_names)), np.nan, np.float32)
    pairs = (
        (real.pictures, warped.pictures),
        (real.action_units, warped.action_units),
        (real.landmarks, warped.landmarks),
        (real.blendshapes, unknown),
        (real.warped, warped.warped),
    )
    return FaceCrops(*(np.concatenate(pair) for pair in pairs), blendshape_names=real.blendshape_names)


def load_training_faces(faces: Path, warped: Path | None, split: str) -> FaceCrops:
    """Read one split of the faces, with the warped ones where given."""
    real = load_faces(faces, split)
    return real if warped is None else join(real, load_warped(warped, split))


def load_wide_faces(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return whole pictures uint8 (N, 192, 192, 3) and their landmarks float32 (N, 478, 2) in its pixels."""
    check_landmarks(path)
    frame, _ = read_split(path, split, ["image", "action_units", "landmarks", "split"])
    pictures = np.stack(
        [
            cv2.resize(
                decode_picture(data, FACE_SIZE, f"{path}, row {row}"),
                (WIDE_SIZE, WIDE_SIZE),
                interpolation=cv2.INTER_AREA,
            )
            for row, data in enumerate(frame["image"])
        ]
    )
    landmarks = _column(frame, "landmarks", 2 * POINTS, path).reshape(-1, POINTS, 2)
    if not np.isfinite(landmarks).all():
        raise DatasetError(f"{path}: the aligner learns from landmarks that are known in every row.")
    return pictures, landmarks * WIDE_SIZE

"""Geometry: what a face looks like after a change of action units, made by moving its landmarks.

``FaceGeometry`` moves a face: displacements per AU and rules for lips and lids (``movement``), then what no flow
supplies (``painting``). ``GeometryGenerator`` is the shipped expander: it finds the landmarks itself, starts from the
geometry's edit, and corrects it; ``training`` is how it learns to. ``mean_face`` is what the tables lie on.
"""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from singanimation.stages.expansion.geometry.face_geometry import FaceGeometry, GeometryEdit
from singanimation.stages.expansion.geometry.mean_face import load_interior, load_mean_landmarks
from singanimation.stages.expansion.geometry.painting.interior import MouthInterior

__all__ = ["FaceGeometry", "GeometryEdit", "MouthInterior", "drawing_digest", "load_interior", "load_mean_landmarks"]

_DRAWS = ("face_geometry.py", "generator.py", "mean_face.safetensors", "movement", "painting")


def drawing_digest() -> str:
    """Return 16 hex digits over all that decides how the geometry draws: its tables, rules and mean face.

    They are code, so that an edit's pixels change with it; it is part of the rows' identities, as weights are.
    """
    found = hashlib.sha256()
    here = files(__name__)
    for file in (each for name in _DRAWS for each in _files(here / name)):
        data = file.read_bytes()
        found.update(f"{file.name} {len(data)} ".encode() + data.replace(b"\r\n", b"\n"))
    return found.hexdigest()[:16]


def _files(place: Traversable) -> list[Traversable]:
    if not place.is_dir():
        return [place]
    inside = sorted(place.iterdir(), key=lambda file: file.name)
    return [file for file in inside if file.name.endswith(".py")]

"""Geometry: what a face looks like after a change of action units, made by moving its landmarks.

``FaceGeometry`` moves a face: displacements per AU and rules for lips and lids (``movement``), then what no flow
supplies (``painting``). ``GeometryGenerator`` is the shipped expander: it finds the landmarks itself, starts from the
geometry's edit, and corrects it; ``training`` is how it learns to. ``mean_face`` is what the tables lie on.
"""

from singanimation.stages.expansion.geometry.face_geometry import FaceGeometry, GeometryEdit
from singanimation.stages.expansion.geometry.mean_face import load_interior, load_mean_landmarks
from singanimation.stages.expansion.geometry.painting.interior import MouthInterior

__all__ = ["FaceGeometry", "GeometryEdit", "MouthInterior", "load_interior", "load_mean_landmarks"]

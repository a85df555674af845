"""The geometry teacher: what a face looks like after a change of action units, made by moving its landmarks.

It gives GANimation's supervised recipe a target for every training picture, at labelled landmarks, and the generator
the edit that it starts from, at landmarks of its own finding: tables of landmark displacements
per AU (``displacements``), rules for lips and lids (``lips``, ``lids``), a dense flow (``flow``), wrinkles
(``shading``) and the inside of a mouth that was closed (``interior``).
"""

from singanimation.stages.ganimation.geometry.changes import sample_changes
from singanimation.stages.ganimation.geometry.interior import MouthInterior
from singanimation.stages.ganimation.geometry.mean_face import load_interior, load_mean_landmarks
from singanimation.stages.ganimation.geometry.teacher import Teacher, TeacherEdit

__all__ = ["MouthInterior", "Teacher", "TeacherEdit", "load_interior", "load_mean_landmarks", "sample_changes"]

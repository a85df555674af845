"""The face of a picture: found, cut out upright at one framing for everything, and put back."""

from singanimation.pipeline.framing import CROP_SIZE, EYES
from singanimation.stages.crop.find import SMALLEST_FACE, detect_faces, find_face
from singanimation.stages.crop.framing import cut, scale_of, similarity
from singanimation.stages.crop.paste import paste, paste_edit

__all__ = [
    "CROP_SIZE", "EYES", "SMALLEST_FACE", "cut", "detect_faces", "find_face", "paste", "paste_edit", "scale_of",
    "similarity",
]  # fmt: skip

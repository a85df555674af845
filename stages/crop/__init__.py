"""The face of a picture: found, cut out upright at one framing for everything, and put back."""

from singanimation.pipeline.face.framing import CROP_SIZE, EYES, scale_of, similarity
from singanimation.stages.crop.cut import cut
from singanimation.stages.crop.detectors import HAAR, FaceDetector, detect_faces, load_yunet, retinaface
from singanimation.stages.crop.find import SMALLEST_FACE, find_face
from singanimation.stages.crop.paste import paste, paste_edit

__all__ = [
    "CROP_SIZE",
    "EYES",
    "HAAR",
    "SMALLEST_FACE",
    "FaceDetector",
    "cut",
    "detect_faces",
    "find_face",
    "load_yunet",
    "paste",
    "paste_edit",
    "retinaface",
    "scale_of",
    "similarity",
]

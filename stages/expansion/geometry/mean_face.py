"""The packaged mean face: landmarks, mouth interior and closed lids, averaged over the project's own training faces."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from singanimation.pipeline.errors import TrainingError, WeightsError
from singanimation.pipeline.expressions import AU_INDEX
from singanimation.pipeline.face import mesh
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame, mirror_on
from singanimation.stages.expansion.geometry.painting.interior import MouthInterior
from singanimation.stages.expansion.geometry.painting.lid_relief import LidRelief

MEAN_FACE = Path(__file__).with_name("mean_face.safetensors")
"""``landmarks`` (478, 2) in face units, symmetric; ``texture`` and ``brightness`` of the mouth interior;
``lids``, the relief of closed lids."""

FEWEST_FACES = 8

# the largest AUs of a face at rest
_REST = {"AU12": 0.15, "AU25": 0.04, "AU26": 0.10, "AU45": 0.25}


def load_mean_landmarks() -> Tensor:
    """Return the mean landmarks (478, 2), face units. Raises WeightsError when the file is missing or damaged."""
    return _load()["landmarks"]


def load_interior() -> MouthInterior:
    """Return the packaged mouth interior. Raises WeightsError when the file is missing or damaged."""
    content = _load()
    return MouthInterior(content["texture"], content["brightness"])


def load_lid_relief() -> LidRelief:
    """Return the packaged relief of closed lids. Raises WeightsError when the file is missing or damaged."""
    return LidRelief(_load()["lids"])


def save_mean_face(path: Path, pictures: Tensor, landmarks: Tensor, action_units: Tensor, yaw: Tensor) -> None:
    """Learn a mean face from training faces and write it as a safetensors file; the packaged one was made so.

    ``pictures`` (N, 3, H, W) in 0..1, ``landmarks`` (N, 478, 2) pixels, ``action_units`` (N, 17) in 0..1, ``yaw`` (N,)
    degrees. Raises TrainingError when there are too few faces at rest, smiles or closed eyes.
    """
    interior = MouthInterior.learn(pictures, landmarks, yaw)
    mean = mean_landmarks(landmarks[at_rest(action_units, yaw)])
    relief = LidRelief.learn(pictures, landmarks, action_units, mirror_on())
    content = {"landmarks": mean, "lids": relief.table, **interior.state()}
    about = {
        "about": "mean landmarks (face units) of training faces at rest; mean row of teeth of their smiles; "
        "median relief of their closed lids"
    }
    with atomic_file(path) as file:
        file.write(save({name: tensor.contiguous() for name, tensor in content.items()}, about))


def at_rest(action_units: Tensor, yaw: Tensor) -> Tensor:
    """Return which faces (N,) are frontal and without expression: ``action_units`` (N, 17), ``yaw`` (N,) degrees."""
    quiet = [action_units[:, AU_INDEX[name]] < limit for name, limit in _REST.items()]
    return torch.stack([*quiet, yaw.abs() < 8]).all(0)


def mean_landmarks(landmarks: Tensor) -> Tensor:
    """Average faces at rest (N, 478, 2), pixels, into a symmetric one (478, 2) in face units.

    Raises TrainingError for fewer than 8 faces (then use the packaged one).
    """
    if len(landmarks) < FEWEST_FACES:
        raise TrainingError(
            f"{len(landmarks)} faces are too few for a mean face ({FEWEST_FACES} are needed); "
            "use the packaged one (load_mean_landmarks)."
        )
    mean = face_frame(landmarks).to_face(landmarks).mean(0)
    flipped = mean * mean.new_tensor([-1.0, 1.0])
    return (mean + flipped[mirror_on()]) / 2


def _load() -> dict[str, Tensor]:
    try:
        content = load_file(MEAN_FACE)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{MEAN_FACE} cannot be read ({error}); reinstall the package.") from None
    missing = {"landmarks", "texture", "brightness", "lids"} - set(content)
    if missing or content["landmarks"].shape != (mesh.POINTS, 2):
        raise WeightsError(f"{MEAN_FACE} is not a mean face ({sorted(missing) or 'wrong shape'}); reinstall.")
    return content

"""The face's own frame of reference, from its landmarks (indices: ``pipeline.face.mesh``)."""

from typing import NamedTuple

import torch
from torch import Tensor

from singanimation.pipeline.face import mesh


def mirror_on(device: torch.device | str = "cpu") -> Tensor:
    """Return each landmark's mirror image (478,) as a tensor."""
    return torch.tensor(mesh.MIRROR, device=device)


class FaceFrame(NamedTuple):
    """Each face's axes in pixels: origin between the irises, x towards the picture's right eye, y down the face.

    One face unit is the interocular distance (iris to iris). ``origin``, ``right``, ``down`` are (B, 2),
    ``unit`` is (B,).
    """

    origin: Tensor
    right: Tensor
    down: Tensor
    unit: Tensor

    def to_face(self, points: Tensor) -> Tensor:
        """Pixels (B, N, 2) -> face units (B, N, 2)."""
        offset = points - self.origin[:, None]
        across = (offset * self.right[:, None]).sum(2)
        along = (offset * self.down[:, None]).sum(2)
        return torch.stack([across, along], 2) / self.unit[:, None, None]

    def to_pixels(self, vectors: Tensor) -> Tensor:
        """Displacements in face units (B, ..., 2) -> pixels, same shape."""
        shape = (-1,) + (1,) * (vectors.dim() - 2) + (2,)
        turned = vectors[..., :1] * self.right.view(shape) + vectors[..., 1:] * self.down.view(shape)
        return turned * self.unit.view((-1,) + (1,) * (vectors.dim() - 1))

    def coordinates(self, height: int, width: int, step: int = 1) -> tuple[Tensor, Tensor]:
        """Face coordinates x, y of every ``step``-th pixel centre: two (B, height // step, width // step)."""
        device = self.origin.device
        columns = (torch.arange(width // step, device=device) + 0.5) * step
        rows = (torch.arange(height // step, device=device) + 0.5) * step
        x = columns[None, None, :] - self.origin[:, 0, None, None]
        y = rows[None, :, None] - self.origin[:, 1, None, None]
        right, down = (axis[:, :, None, None] / self.unit[:, None, None, None] for axis in (self.right, self.down))
        return x * right[:, 0] + y * right[:, 1], x * down[:, 0] + y * down[:, 1]


def face_frame(landmarks: Tensor) -> FaceFrame:
    """Return the frames of ``landmarks`` (B, 478, 2) in pixels."""
    left, right = landmarks[:, mesh.IRIS_LEFT], landmarks[:, mesh.IRIS_RIGHT]
    span = right - left
    unit = span.norm(dim=1).clamp(min=1e-3)
    across = span / unit[:, None]
    down = torch.stack([-across[:, 1], across[:, 0]], 1)
    return FaceFrame((left + right) / 2, across, down, unit)


def mirrored(points: Tensor, mirror: Tensor, width: float = 0.0) -> Tensor:
    """Return the landmarks (B, 478, 2) of the mirror image: of a picture ``width`` pixels wide, 0 for face units.

    ``mirror`` (478,) are the landmarks' partners, see ``mirror_on``.
    """
    return points[:, mirror] * points.new_tensor([-1.0, 1.0]) + points.new_tensor([width, 0.0])

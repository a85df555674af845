"""Which of the 478 MediaPipe face-mesh landmarks are what, and the face's own frame of reference.

Groups of the eyes are given for the eye at the left of the picture, from its outer to its inner corner;
``mirror_of`` finds their partners at the right. Groups of the mouth run from left to right.
"""

from typing import NamedTuple

import torch
from torch import Tensor

POINTS = 478
IRIS_LEFT, IRIS_RIGHT = 468, 473
IRISES = tuple(range(468, 478))
CHIN, UPPER_LIP_TOP, NOSE_BASE, NOSE_TIP = 152, 0, 2, 4

BROW_BELOW = (46, 53, 52, 65, 55)
BROW = (70, 63, 105, 66, 107, *BROW_BELOW)

EYE_CORNERS = (33, 133)
UPPER_LID = (246, 161, 160, 159, 158, 157, 173)
LOWER_LID = (7, 163, 144, 145, 153, 154, 155)
UPPER_LID_SKIN = (247, 30, 29, 27, 28, 56, 190)
LOWER_LID_SKIN = (25, 110, 24, 23, 22, 26, 112)
UPPER_SOCKET = (113, 225, 224, 223, 222, 221, 189)
LOWER_SOCKET = (31, 228, 229, 230, 231, 232, 233)
LID_RINGS = {
    "upper_lid": UPPER_LID, "lower_lid": LOWER_LID,
    "upper_skin": UPPER_LID_SKIN, "lower_skin": LOWER_LID_SKIN,
    "upper_socket": UPPER_SOCKET, "lower_socket": LOWER_SOCKET,
}  # fmt: skip

MOUTH_CORNERS = (61, 291)
INNER_CORNERS = (78, 308)
# from the lips' outer edge to their inner line, nine points each
UPPER_LIP = (
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
)
LOWER_LIP = (
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
)
INNER_UPPER = (78, *UPPER_LIP[3], 308)
INNER_LOWER = (78, *LOWER_LIP[3], 308)
ALL_UPPER_LIP = tuple(index for ring in UPPER_LIP for index in ring)
ALL_LOWER_LIP = tuple(index for ring in LOWER_LIP for index in ring)
LIPS = ALL_UPPER_LIP + ALL_LOWER_LIP + MOUTH_CORNERS + INNER_CORNERS

CHEEKS = (50, 280, 101, 330)
"""Points on bare skin, both sides: where the skin's colour is read."""

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The outline of the face, clockwise from the top of the forehead."""


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
    left, right = landmarks[:, IRIS_LEFT], landmarks[:, IRIS_RIGHT]
    span = right - left
    unit = span.norm(dim=1).clamp(min=1e-3)
    across = span / unit[:, None]
    down = torch.stack([-across[:, 1], across[:, 0]], 1)
    return FaceFrame((left + right) / 2, across, down, unit)


def mirror_of(points: Tensor) -> Tensor:
    """Return for every landmark of a symmetric face (478, 2), face units, the index of its mirror image (478,)."""
    flipped = points * points.new_tensor([-1.0, 1.0])
    return torch.cdist(flipped, points).argmin(1)


def mirrored(points: Tensor, mirror: Tensor, width: float = 0.0) -> Tensor:
    """Return the landmarks (B, 478, 2) of the mirror image: of a picture ``width`` pixels wide, 0 for face units.

    ``mirror`` (478,) are the landmarks' partners, as ``mirror_of`` finds them.
    """
    return points[:, mirror] * points.new_tensor([-1.0, 1.0]) + points.new_tensor([width, 0.0])

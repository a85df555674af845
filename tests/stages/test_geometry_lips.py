"""Mouths that close under the geometry teacher, on a drawn mean face: lips meet, and nothing is left between."""

import torch
from drawn_face import SIZE, UNIT, change_of
from torch import Tensor

from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.movement.curves import lookup, opening
from singanimation.stages.expansion.geometry.movement.flow import NEAREST, within
from singanimation.stages.expansion.geometry.movement.lip_columns import close_columns

CORNERS = list(mesh.MOUTH_CORNERS)


def wide_open(teacher: FaceGeometry, points: Tensor) -> Tensor:
    """The same face with its jaw dropped."""
    return points + teacher.moves(points, change_of(AU25=1.0, AU26=1.0)).sum(1)


def shouting(points: Tensor) -> Tensor:
    """A picture of skin with lips and a bright inside where ``points`` (1, 478, 2) have the open mouth."""
    picture = torch.full((1, 3, SIZE, SIZE), 0.6)
    for chains, colour in (((0, 0), 0.3), ((3, 3), 1.0)):
        corners = mesh.MOUTH_CORNERS if chains[0] == 0 else mesh.INNER_CORNERS
        chain = [(corners[0], *lip[chains[0]], corners[1]) for lip in (mesh.UPPER_LIP, mesh.LOWER_LIP)]
        mouth = opening(points, *chain)
        u, v = mouth.coordinates(SIZE, SIZE)
        inside = (v > lookup(mouth.upper, u)) & (v < lookup(mouth.lower, u)) & (u > 0) & (u < 1)
        picture[:, :, inside[0]] = colour
    return picture


def test_a_wide_open_mouth_closes_and_leaves_nothing_of_its_inside(teacher: FaceGeometry, points: Tensor) -> None:
    start = wide_open(teacher, points)
    picture = shouting(start)
    assert (picture[0, 1] > 0.95).sum() > 100
    edit = teacher.edit(picture, start, change_of(AU25=-1.0, AU26=-1.0))
    assert (edit.picture[0, 1] > 0.8).sum() == 0
    # lips are still there, and so is the skin around them
    lips = edit.picture[0, 1] < 0.45
    assert lips.sum() > 60 and edit.picture[0, 1, : int(start[0, mesh.NOSE_TIP, 1])].min() > 0.55


def test_lips_that_stood_far_apart_meet_in_a_line_between_corners_that_came_along(
    teacher: FaceGeometry, points: Tensor
) -> None:
    start = wide_open(teacher, points)
    # in a round mouth the corners are half way down
    moves = teacher.moves(start, change_of(AU25=-1.0, AU26=-1.0)).sum(1)[0]
    after = start[0] + moves
    seam = (after[list(mesh.UPPER_LIP[3]), 1] + after[list(mesh.LOWER_LIP[3]), 1]) / 2 / UNIT
    assert seam.max() - seam.min() < 0.06
    assert (after[CORNERS, 1] / UNIT - seam[4]).abs().max() < 0.06
    upper, lower = mesh.UPPER_LIP[3][4], mesh.LOWER_LIP[3][4]
    # a mouth closes by its jaw
    assert -moves[lower, 1] > 3 * moves[upper, 1] > 0


def test_columns_leave_lips_that_hardly_move_to_the_flow(teacher: FaceGeometry, points: Tensor) -> None:
    flow = torch.randn(1, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    unit = torch.tensor([float(UNIT)])
    assert close_columns(flow, points, points, unit) is flow
    start = wide_open(teacher, points)
    assert close_columns(flow, points, start, unit) is flow, "mouths that open stay with the flow"
    closed = close_columns(flow, start, points, unit)
    moved = (closed != flow).any(1)[0]
    rows, columns = moved.nonzero().unbind(1)
    assert moved.any() and rows.min() > points[0, mesh.NOSE_TIP, 1] - 0.1 * UNIT
    left, right = points[0, CORNERS, 0]
    assert columns.min() > left - 0.2 * (right - left) and columns.max() < right + 0.2 * (right - left)


def test_no_pixel_comes_from_below_the_picture() -> None:
    flow = torch.full((1, 2, SIZE, SIZE), 30.0)
    kept = within(flow)
    assert torch.equal(kept[:, 0], flow[:, 0]) and (kept[:, 1, : SIZE // 2] == 30).all()
    source = torch.arange(SIZE) + 0.5 + kept[0, 1, :, 0]
    assert source.max() < SIZE and (source.diff() > (1 - NEAREST) - 1e-4).all()
    assert torch.equal(within(-flow), -flow)

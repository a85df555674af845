"""Brows as one piece, the skin they leave, spectacles that hold them, and the folds of smiles that go."""

import torch
from drawn_face import SIZE, UNIT, change_of
from torch import Tensor

from singanimation.pipeline.face import mesh
from singanimation.stages.expansion.geometry import FaceGeometry
from singanimation.stages.expansion.geometry.movement.brows import LOWER, UPPER, skin_below, whole_brows
from singanimation.stages.expansion.geometry.movement.face_frame import face_frame, mirror_on
from singanimation.stages.expansion.geometry.movement.spectacles import worn
from singanimation.stages.expansion.geometry.painting.folds import without_folds

ONE = torch.tensor([UNIT])


def test_both_edges_of_a_brow_go_the_same_way_and_nothing_else_is_touched() -> None:
    moves = torch.randn(2, mesh.POINTS, 2, generator=torch.Generator().manual_seed(1))
    mirror = mirror_on()
    whole = whole_brows(moves, mirror)
    for side in (None, mirror):
        upper, lower = (torch.tensor(ring) if side is None else side[torch.tensor(ring)] for ring in (UPPER, LOWER))
        assert torch.equal(whole[:, upper], whole[:, lower])
        assert torch.allclose(whole[:, upper], (moves[:, upper] + moves[:, lower]) / 2)
    both = torch.cat([torch.tensor(mesh.BROW), mirror[torch.tensor(mesh.BROW)]])
    others = torch.ones(mesh.POINTS, dtype=torch.bool)
    others[both] = False
    assert torch.equal(whole[:, others], moves[:, others])


def test_a_raised_brow_keeps_its_breadth(teacher: FaceGeometry, points: Tensor) -> None:
    after = points + teacher.moves(points, change_of(AU01=0.8, AU02=0.8)).sum(1)
    breadth = [(where[:, list(LOWER), 1] - where[:, list(UPPER), 1]) for where in (points, after)]
    assert torch.allclose(breadth[0], breadth[1], atol=0.5)
    assert (points[:, list(UPPER), 1] - after[:, list(UPPER), 1]).mean() > 3


def test_skin_is_painted_only_where_a_flow_draws_it_out(picture: Tensor, points: Tensor) -> None:
    still = torch.zeros(1, 2, SIZE, SIZE)
    mirror = mirror_on()
    assert not skin_below(picture, still, points, points, ONE, mirror)[1].any()
    drawn_out = still.clone()
    drawn_out[:, 1] = -0.6 * (torch.arange(SIZE)[:, None] - 60.0)
    colour, amount = skin_below(picture, drawn_out, points, points, ONE, mirror)
    assert amount.max() > 0.5 and colour.min() >= 0 and colour.max() <= 1
    eyes = points[0, [mesh.IRIS_LEFT, mesh.IRIS_RIGHT], 1].max()
    assert not amount[:, :, int(eyes) + 2 :].any()


def test_a_bar_over_the_nose_is_spectacles_and_holds_the_brows(teacher: FaceGeometry, points: Tensor) -> None:
    plain = torch.full((1, 3, SIZE, SIZE), 0.6)
    bridge = int(face_frame(points).origin[0, 1])
    framed = plain.clone()
    framed[:, :, bridge - 1 : bridge + 2] = 0.1
    frame = face_frame(points)
    assert worn(plain, frame).item() == 0 and worn(framed, frame).item() == 1
    change = change_of(AU01=0.7, AU02=0.7)
    rises = [teacher.edit(seen, points, change).landmarks - points for seen in (plain, framed)]
    brows = [-rise[0, list(mesh.BROW), 1].mean().item() for rise in rises]
    assert 0.25 * brows[0] < brows[1] < 0.55 * brows[0]


def test_folds_go_where_a_smile_does_and_nowhere_else(points: Tensor) -> None:
    mirror = mirror_on()
    skin = torch.full((1, 3, SIZE, SIZE), 0.6)
    start, end = points[0, 206], points[0, 216]
    x, y = torch.arange(SIZE) + 0.5, torch.arange(SIZE)[:, None] + 0.5
    middle = (start + end) / 2
    fold = torch.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * 3.0**2))
    folded = skin - 0.15 * fold
    gone = without_folds(folded, points, change_of(AU12=-0.8), ONE, mirror)
    depth = [(skin - seen)[0, 0].max().item() for seen in (folded, gone)]
    assert depth[1] < 0.55 * depth[0]
    assert torch.equal(without_folds(folded, points, change_of(AU12=0.8), ONE, mirror), folded)
    assert torch.equal(without_folds(folded, points, change_of(AU06=-0.8), ONE, mirror), folded)
    forehead = slice(0, 20)
    assert torch.allclose(gone[:, :, forehead], folded[:, :, forehead], atol=1e-3)

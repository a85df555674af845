"""The one framing: where eyes are, how they come to their places, what a mirror does to landmarks."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from singanimation.pipeline.face import framing, mesh
from singanimation.stages.action_units.warp import warp
from singanimation.stages.expansion.geometry import load_mean_landmarks


def _landmarks(eye_corners: dict[int, tuple[float, float]]) -> np.ndarray:
    points = np.zeros((478, 2))
    for index, place in eye_corners.items():
        points[index] = place
    return points


def test_eye_centres_are_the_corners_means_moved_outwards_and_down():
    points = _landmarks({33: (10, 50), 133: (30, 50), 362: (110, 50), 263: (130, 50)})
    expected = [[20 - 4.44, 50 + 2.47], [120 + 4.44, 50 + 2.47]]
    np.testing.assert_allclose(mesh.eye_centres(points), expected)


def test_eye_centres_turn_with_the_face():
    points = np.random.default_rng(0).uniform(0, 100, (478, 2))
    turn = np.array([[0.0, -1.0, 7.0], [1.0, 0.0, -3.0]])
    turned = mesh.eye_centres(framing.apply(turn, points))
    np.testing.assert_allclose(turned, framing.apply(turn, mesh.eye_centres(points)), atol=1e-9)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_canonical_transform_puts_the_eyes_in_their_places(size):
    eyes = np.array([[31.0, 80.0], [77.0, 52.0]])
    transform = framing.to_canonical(eyes, size)
    np.testing.assert_allclose(framing.apply(transform, eyes), framing.EYES * size / 128, atol=1e-5)
    linear = transform[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * np.linalg.det(linear), atol=1e-9)


def test_eyes_in_one_point_are_refused():
    with pytest.raises(ValueError, match="one point"):
        framing.to_canonical(np.array([[5.0, 5.0], [5.0, 5.0]]))


def test_warp_by_the_identity_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(warp(picture, np.array([[1.0, 0, 0], [0, 1.0, 0]]), 40), picture)


def test_warp_counts_from_the_corner_of_the_first_pixel():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2, 3] = 255
    doubled = warp(picture, np.array([[2.0, 0, 0], [0, 2.0, 0]]), 16).astype(float)[..., 0]
    rows, columns = np.mgrid[:16, :16] + 0.5
    middle = [(columns * doubled).sum() / doubled.sum(), (rows * doubled).sum() / doubled.sum()]
    np.testing.assert_allclose(middle, [7.0, 5.0], atol=0.01)  # twice the pixel's middle (3.5, 2.5)


def test_the_mirror_is_its_own_inverse_and_swaps_the_sides():
    partner = mesh.MIRROR
    np.testing.assert_array_equal(partner[partner], np.arange(478))
    assert (partner[mesh.IRIS_LEFT], partner[33], partner[133], partner[61], partner[152]) == (473, 263, 362, 291, 152)
    for ring in mesh.UPPER_LIP + mesh.LOWER_LIP:  # where lips lie on each other, nearness could not tell
        assert partner[list(ring)].tolist() == list(reversed(ring))


def test_the_mirror_is_what_nearness_finds_on_a_symmetric_face():
    points = load_mean_landmarks().numpy().astype(float)
    distances = np.linalg.norm((points * [-1, 1])[:, None] - points[None], axis=2)
    np.testing.assert_array_equal(linear_sum_assignment(distances + distances.T)[1], mesh.MIRROR)


def test_the_usual_68_points_are_68_different_ones():
    assert len(set(mesh.USUAL_68)) == 68

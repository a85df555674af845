"""The one framing: where eyes are, how they come to their places, what a mirror does to landmarks."""

import numpy as np
import pytest

from singanimation.stages.action_units import framing


def _landmarks(eye_corners: dict[int, tuple[float, float]]) -> np.ndarray:
    points = np.zeros((478, 2))
    for index, place in eye_corners.items():
        points[index] = place
    return points


def test_eye_centres_are_the_corners_means_moved_outwards_and_down():
    points = _landmarks({33: (10, 50), 133: (30, 50), 362: (110, 50), 263: (130, 50)})
    expected = [[20 - 4.44, 50 + 2.47], [120 + 4.44, 50 + 2.47]]
    np.testing.assert_allclose(framing.eye_centres(points), expected)


def test_eye_centres_turn_with_the_face():
    points = np.random.default_rng(0).uniform(0, 100, (478, 2))
    turn = np.array([[0.0, -1.0, 7.0], [1.0, 0.0, -3.0]])
    turned = framing.eye_centres(framing.apply(turn, points))
    np.testing.assert_allclose(turned, framing.apply(turn, framing.eye_centres(points)), atol=1e-9)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_canonical_transform_puts_the_eyes_in_their_places(size):
    eyes = np.array([[31.0, 80.0], [77.0, 52.0]])
    transform = framing.canonical_transform(eyes, size)
    np.testing.assert_allclose(framing.apply(transform, eyes), framing.CANONICAL_EYES * size / 128, atol=1e-5)
    linear = transform[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * np.linalg.det(linear), atol=1e-9)


def test_eyes_in_one_point_are_refused():
    with pytest.raises(ValueError, match="one point"):
        framing.canonical_transform(np.array([[5.0, 5.0], [5.0, 5.0]]))


def test_warp_by_the_identity_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(framing.warp(picture, np.array([[1.0, 0, 0], [0, 1.0, 0]]), 40), picture)


def test_warp_counts_from_the_corner_of_the_first_pixel():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2, 3] = 255
    doubled = framing.warp(picture, np.array([[2.0, 0, 0], [0, 2.0, 0]]), 16).astype(float)[..., 0]
    rows, columns = np.mgrid[:16, :16] + 0.5
    middle = [(columns * doubled).sum() / doubled.sum(), (rows * doubled).sum() / doubled.sum()]
    np.testing.assert_allclose(middle, [7.0, 5.0], atol=0.01)  # twice the pixel's middle (3.5, 2.5)


def test_the_mirror_permutation_finds_each_points_partner():
    rng = np.random.default_rng(1)
    middle = framing.CANONICAL_EYES[:, 0].mean()
    left = np.stack([rng.uniform(10, middle - 3, 237), rng.uniform(5, 120, 237)], 1)
    right = left * [-1, 1] + [2 * middle, 0]
    shape = np.concatenate([left, right, [[middle, 10], [middle, 70], [middle, 100], [middle, 120]]])
    partner = np.concatenate([np.arange(237, 474), np.arange(237), np.arange(474, 478)])
    names = rng.permutation(478)  # MediaPipe's numbers for these points, but for the eye corners
    for slot, corner in ((0, 33), (1, 133), (237, 263), (238, 362)):
        names[[slot, np.flatnonzero(names == corner)[0]]] = names[[np.flatnonzero(names == corner)[0], slot]]
    shape[[0, 1]] = [[30.0, 44], [52.0, 44]]
    shape[[237, 238]] = shape[[0, 1]] * [-1, 1] + [2 * middle, 0]
    points, expected = np.empty((478, 2)), np.empty(478, int)
    points[names] = shape
    expected[names] = names[partner]
    found = framing.mirror_permutation(points)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[found], np.arange(478))


def test_the_usual_68_points_are_68_different_ones():
    assert len(set(framing.USUAL_68)) == 68

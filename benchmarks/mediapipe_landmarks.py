"""Run by landmark_judge.py with the Python of an environment that has mediapipe 0.10 (its numpy is another).

python mediapipe_landmarks.py PICTURES.npy LANDMARKS.npy: uint8 (N, H, W, 3) -> float32 (N, 478, 2) pixels, NaN where
no face is found. Imports nothing of this project.
"""

import sys

import mediapipe  # pyright: ignore[reportMissingImports] - in another environment
import numpy as np


def main(pictures: str, landmarks: str) -> None:
    """Find the face mesh, irises included, on every picture alone."""
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.2
    )
    shown = np.load(pictures, allow_pickle=False)
    found = np.full((len(shown), 478, 2), np.nan, np.float32)
    for place, picture in zip(found, shown, strict=True):
        faces = mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        if faces:
            place[:] = [(point.x * picture.shape[1], point.y * picture.shape[0]) for point in faces[0].landmark]
    np.save(landmarks, found, allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

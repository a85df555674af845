"""The labels that siblings without action units learn: a data set's own, or the nearest form of its action units."""

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.forms import nearest_emotions

if TYPE_CHECKING:
    from singanimation.flows.training.faces import PreparedFaces

LabelsFrom = Literal["data", "units"]


def labelled(
    prepared: "PreparedFaces", origin: LabelsFrom, name: str, only: Collection[str] = EMOTIONS
) -> "tuple[PreparedFaces, str]":
    """Return faces with the labels of ``origin``, and what they are in words. Raises DatasetError where none has any.

    ``data``: the data set's own, where they are one of the seven emotions. ``units``: the emotion whose form is nearest
    to the face's action units. Faces with other labels than ``only`` count as without.
    """
    train = prepared.train
    labels = nearest_emotions(train.action_units) if origin == "units" else train.labels
    labels = np.full(len(train.pictures), -1) if labels is None else np.asarray(labels)
    labels = np.where(np.isin(labels, [EMOTIONS.index(each) for each in only]), labels, -1)
    if not (labels >= 0).any():
        instead = "" if origin == "units" else "; --labels units takes the nearest form of the action units"
        raise DatasetError(f"--input {name} has no labels among {', '.join(only)}{instead}.")
    counts = np.bincount(labels[labels >= 0], minlength=len(EMOTIONS))
    found = ", ".join(f"{emotion} {count:,}" for emotion, count in zip(EMOTIONS, counts, strict=True) if count)
    whose = "the nearest form of the action units" if origin == "units" else "the data set's own"
    return replace(prepared, train=train._replace(labels=np.asarray(labels, np.int64))), f"{whose} ({found})"


def joined(first: "PreparedFaces", second: "PreparedFaces") -> "PreparedFaces":
    """Return the faces of two data sets in one, each with its own labels; shown are the first's."""
    one, other = first.train, second.train
    if one.labels is None or other.labels is None:
        raise ValueError("both sets need labels")
    train = one._replace(
        pictures=np.concatenate([one.pictures, other.pictures]),
        landmarks=np.concatenate([one.landmarks, other.landmarks]),
        action_units=np.concatenate([one.action_units, other.action_units]),
        labels=np.concatenate([one.labels, other.labels]),
        sets=np.repeat(np.array([0, 1]), [len(one.labels), len(other.labels)]),
    )
    licences = [
        f"of the {which} set {faces.licence or 'not stated'}"
        for which, faces in zip(("first", "second"), (first, second), strict=True)
    ]
    licence = None if first.licence is None and second.licence is None else "; ".join(licences)
    return replace(first, train=train, licence=licence)

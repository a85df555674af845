"""The part of `augment edit` that changes what a face wears: carried from another picture, or taken off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from singanimation.flows.faces import Face, file_name, find_faces, warn
from singanimation.flows.models import FaceModels, load_appearance
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.expressions import ATTRIBUTES

if TYPE_CHECKING:
    from singanimation.stages.expansion.attributes.editor import AttributeEdit
    from singanimation.stages.expansion.attributes.editor import Face as WornFace


class Changed(NamedTuple):
    """One edit of a face: its name, the crop uint8 (128, 128, 3), and the layers that were laid over it in turn."""

    name: str
    crop: np.ndarray
    layers: "tuple[AttributeEdit, ...]"


@dataclass(frozen=True)
class AttributeRequest:
    """What was asked for: ``carried`` from the picture ``origin``, ``without`` taken off."""

    carried: tuple[str, ...]
    origin: Path | None
    without: tuple[str, ...]

    @classmethod
    def of(cls, carried: str | None, origin: Path | None, without: str | None) -> "AttributeRequest | None":
        """Return what the options ask for, None where they are not given. Raises UsageError."""
        if carried is None and origin is None and without is None:
            return None
        if (carried is None) != (origin is None):
            raise UsageError(
                "--attribute names what is carried and --attributes-from the picture that it comes from: give both."
            )
        if origin is not None and not origin.is_file():
            raise UsageError(f"--attributes-from {origin}: no such picture.")
        return cls(_named("--attribute", carried), origin, _named("--without", without))

    @property
    def count(self) -> int:
        """Return how many edits each face gets, where nothing is refused."""
        return len(self.carried) + len(self.without)


class AttributeEdits:
    """Draws what was asked for: the networks loaded, the donor's face found, once for all faces.

    Raises WeightsError, PictureError for a donor without a usable face, UsageError for one that wears nothing of it.
    """

    def __init__(self, request: AttributeRequest, models: FaceModels, weights: Path | None, device: str) -> None:
        self._request, self._editor = request, load_appearance(weights, device)
        for name in (*request.carried, *request.without):
            if name not in self._editor.attributes:
                raise UsageError(
                    f"The attribute networks know {', '.join(self._editor.attributes)}, not {name}; "
                    "`augment train attributes` makes others, --attributes names them."
                )
        self._donor = None if request.origin is None else _donor(request.origin, models)
        for name in request.carried:
            if self._donor is not None and not self._editor.wears(self._donor, name):
                raise UsageError(f"--attributes-from {request.origin}: no {name} are found on that face.")

    def of(self, face: Face, quiet: bool) -> Iterator[Changed]:
        """Yield the edits of one face. What it already wears is taken off before another's is put on."""
        own, seen = _worn(face), face.crop.seen
        for name in self._request.carried:
            layers, below = [], own
            if self._editor.wears(own, name):
                layers.append(self._editor.remove(own, name, seen))
                below = own._replace(pixels=layers[0].picture)
            if self._donor is not None and self._request.origin is not None:
                layers.append(self._editor.carry(below, self._donor, name, seen))
                origin = file_name(self._request.origin.stem)
                yield Changed(f"{name}-from-{origin}", layers[-1].picture, tuple(layers))
        for name in self._request.without:
            if not self._editor.wears(own, name):
                warn(f"{face.path}: no {name} are found on this face, so nothing is taken off.", quiet)
                continue
            bare = self._editor.remove(own, name, seen)
            yield Changed(f"without-{name}", bare.picture, (bare,))


def in_picture(face: Face, layers: "Sequence[AttributeEdit]", models: FaceModels) -> np.ndarray:
    """Return the whole picture, uint8 (H, W, 3), with the layers laid over its face at its own resolution."""
    pixels = face.picture.pixels
    for layer in layers:
        pixels = models.paste_edit(pixels, face.crop, 1 - layer.mask, layer.colour, None)
    return pixels


def _named(option: str, text: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(word.strip().lower() for word in (text or "").split(",") if word.strip()))
    strange = [name for name in names if name not in ATTRIBUTES]
    if strange or (text is not None and not names):
        raise UsageError(f"{option} {text}: use {', '.join(ATTRIBUTES)}.")
    return names


def _donor(path: Path, models: FaceModels) -> "WornFace":
    for found in find_faces([path], models):
        if isinstance(found, PictureError):
            raise found
        return _worn(found)
    raise UsageError(f"--attributes-from {path} is no picture.")


def _worn(face: Face) -> "WornFace":
    from singanimation.stages.expansion.attributes.editor import Face as WornFace

    return WornFace(face.crop.pixels, face.crop.landmarks)

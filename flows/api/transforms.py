"""Random transforms in the style of ``torchvision.transforms.v2``: ``ExpressionEdit`` and ``RegeneratedVariant``.

They take one picture a sample: a PIL picture, a ``tv_tensors.Image`` or a uint8 tensor (C, H, W), before it is scaled
to floats, and give back the same kind and size. NumPy arrays, which v2 transforms pass through unchanged, are refused.
All that is random comes from torch's generator when the transform is called, so that DataLoader's workers and seeds
work as they do for torchvision's own.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import PIL.Image
import torch

from singanimation.flows.api.draws import EditDraws, VariantDraws, checked_labels, new_label
from singanimation.flows.api.pictures import take
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.settings import Engine

try:
    from torchvision import tv_tensors
    from torchvision.transforms import v2
except ImportError as error:
    raise UsageError(
        "ExpressionEdit and RegeneratedVariant need torchvision: pip install 'singanimation[torchvision]'."
    ) from error


class ExpressionEdit(v2.Transform):
    """With probability ``p`` edit the face to one of ``emotions``, at a strength drawn from ``strengths``.

    ``form="any"`` varies the ways in which an emotion is shown, a form's name fixes one. ``face_crop`` says that the
    pictures are face crops already. A picture without a usable face stays as it is. An edit takes some 0.1 s of a
    core at 128 px; ``device`` is ``cpu`` for workers of a DataLoader.

    From strength 0.5 up the edited picture shows the new emotion, and its label has to follow. Call the transform on
    ``(picture, label)`` with a whole number as label and give ``labels``, the class names in their order: the label
    is changed with the picture. ``labels="keep"`` leaves it. A label without ``labels`` is refused, and a picture
    alone is edited with a warning, both only where ``strengths`` reach 0.5.

    Raises UsageError for wrong arguments, several pictures or labels in a sample, NumPy arrays and float tensors.

    >>> from skimage.data import astronaut
    >>> from torchvision import tv_tensors
    >>> edit = ExpressionEdit(p=1, emotions=["fear"], labels=["surprise", "fear", "disgust"])
    >>> picture, label = edit(tv_tensors.Image(astronaut().transpose(2, 0, 1)), 0)
    >>> type(picture).__name__, tuple(picture.shape), label
    ('Image', (3, 512, 512), 1)
    """

    def __init__(
        self,
        p: float = 0.5,
        emotions: Sequence[str] = EMOTIONS,
        strengths: tuple[float, float] = (0.7, 1.0),
        *,
        labels: Sequence[str] | Literal["keep"] | None = None,
        form: str = "any",
        face_crop: bool = False,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self._draws = EditDraws.checked(p, emotions, strengths, form, face_crop, device)
        self._labels = checked_labels(labels, self._draws.emotions)
        if self._labels:
            self._transformed_types = (*v2.Transform._transformed_types, int)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise UsageError for samples whose label would become wrong, or that hold no picture, or several."""
        check_picture(flat_inputs)
        numbers = [each for each in flat_inputs if _is_whole_number(each)]
        if not self._draws.changes_labels or self._labels == ():
            return
        if self._labels is None:
            if numbers:
                raise UsageError(
                    f"An edit makes the label {numbers[0]} wrong: give labels=[the class names in their order], "
                    'or labels="keep".'
                )
            warnings.warn(_NO_LABEL, stacklevel=3)
        elif len(numbers) != 1 or isinstance(numbers[0], torch.Tensor):
            raise UsageError("With labels=... a sample is a picture and its label, one whole number (an int).")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw, and edit the picture of the sample."""
        picture = next(each for each in flat_inputs if not isinstance(each, int))
        drawn = self._draws(_pixels(picture))
        return {"pixels": drawn.pixels, "emotion": drawn.emotion}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the edited picture in the kind of ``inpt``, or the label that belongs to it."""
        if isinstance(inpt, int):
            return new_label(inpt, params["emotion"], self._labels or ())
        return _like(inpt, params["pixels"])

    def extra_repr(self) -> str:
        """Return the arguments for ``repr``."""
        draws = self._draws
        return f"p={draws.p:g}, emotions={list(draws.emotions)}, strengths={draws.strengths}, form={draws.form!r}"


class RegeneratedVariant(v2.Transform):
    """With probability ``p`` replace the face by a variant of itself: small changes of texture, light and detail.

    The label stays. A model is fitted to each face when it is first met, and ``kept`` of them are remembered in each
    process: ``patch`` takes 0.6 s of a core for a new face, ``fast`` 2 s, then a checked draw 0.15 s. ``starts`` are
    the scales variants begin at (N-1 changes more than N-2). A picture without a face, or whose variants all fail the
    checks of a run, stays as it is. Raises UsageError as ``ExpressionEdit`` does.

    >>> from PIL import Image
    >>> from skimage.data import astronaut
    >>> picture, label = RegeneratedVariant(p=1)(Image.fromarray(astronaut()), 3)
    >>> picture.size, label
    ((512, 512), 3)
    """

    def __init__(
        self,
        p: float = 0.5,
        *,
        engine: Engine = "patch",
        starts: Sequence[str] = ("N-1", "N-2"),
        kept: int = 64,
        face_crop: bool = False,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self._draws = VariantDraws(p, engine, starts, kept, face_crop, device)
        self._said = f"p={p:g}, engine={engine!r}, starts={list(starts)}"

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise UsageError for samples that hold no picture, or several."""
        check_picture(flat_inputs)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw, and regenerate the picture of the sample."""
        return {"pixels": self._draws(_pixels(flat_inputs[0]))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the variant in the kind of ``inpt``."""
        return _like(inpt, params["pixels"])

    def extra_repr(self) -> str:
        """Return the arguments for ``repr``."""
        return self._said


_NO_LABEL = (
    "ExpressionEdit was given a picture without its label, which an edit makes wrong: call it on (picture, label) "
    'with labels=[...], or say labels="keep".'
)


def check_picture(flat_inputs: Sequence[Any]) -> None:
    """Raise UsageError where a sample does not hold one picture that can be transformed."""
    if any(isinstance(each, np.ndarray) for each in flat_inputs):
        raise UsageError("v2 transforms pass NumPy arrays through unchanged: put v2.ToImage() before this one.")
    named = [each for each in flat_inputs if isinstance(each, (PIL.Image.Image, tv_tensors.Image))]
    plain = [each for each in flat_inputs if _is_plain_picture(each)]
    count = len(named) or min(len(plain), 1)
    if count != 1:
        raise UsageError(f"A sample holds one picture (PIL, tv_tensors.Image or a tensor), not {count}.")
    picture = (named or plain)[0]
    if isinstance(picture, torch.Tensor) and (picture.dtype != torch.uint8 or picture.ndim != 3):
        raise UsageError(
            f"A picture is uint8 (C, H, W), not {picture.dtype} {tuple(picture.shape)}: put this transform before "
            "ToDtype, and before batches are made."
        )
    if isinstance(picture, torch.Tensor) and picture.shape[0] not in (1, 3):
        raise UsageError(f"A picture has 1 or 3 channels, not {picture.shape[0]}.")


def _is_plain_picture(each: Any) -> bool:
    return isinstance(each, torch.Tensor) and not isinstance(each, tv_tensors.TVTensor) and each.ndim >= 2


def _is_whole_number(each: Any) -> bool:
    if isinstance(each, torch.Tensor):
        return each.ndim == 0 and not each.is_floating_point()
    return isinstance(each, int)


def _pixels(picture: Any) -> np.ndarray:
    """Return uint8 (H, W, 3) of a PIL picture or of a tensor (1 or 3, H, W)."""
    if isinstance(picture, torch.Tensor):
        picture = picture.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
    return take(picture).pixels


def _like(picture: Any, pixels: np.ndarray) -> Any:
    """Return ``pixels`` in the kind of ``picture``, on its device; a picture that was not changed as it is."""
    if not isinstance(picture, torch.Tensor):
        return take(picture).give(pixels)
    grey = picture.shape[0] == 1
    planes = np.asarray(PIL.Image.fromarray(pixels).convert("L"))[None] if grey else pixels.transpose(2, 0, 1)
    tensor = torch.from_numpy(planes.copy()).to(picture.device)
    return tv_tensors.Image(tensor) if isinstance(picture, tv_tensors.Image) else tensor

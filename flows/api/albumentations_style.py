"""The same random transforms for albumentations 2: ``from singanimation import albumentations as sga``.

    A.Compose([sga.ExpressionEdit(p=0.5, labels=CLASSES), A.HorizontalFlip()])(image=image, label=label)

An unseeded ``Compose`` of albumentations 2.0.8 draws the same numbers in every worker of a DataLoader, and in every
epoch again. These two draw from torch's generator when they are called, as torchvision's transforms do, and
so differ by worker and epoch and repeat with ``torch.manual_seed``; ``Compose(seed=...)`` does not reach them.

albumentations is MIT and no longer maintained. Its successor albumentationsx is AGPL-3.0-only; it is not needed here.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from singanimation.flows.api.draws import EditDraws, VariantDraws, checked_labels, happens, new_label
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.settings import Engine

try:
    from albumentations import ImageOnlyTransform  # pyright: ignore[reportMissingImports] - an extra
except ImportError as error:
    raise UsageError("These transforms need albumentations: pip install 'singanimation[albumentations]'.") from error


class _Drawing(ImageOnlyTransform):
    """What both have in common: whether they are applied comes from torch's generator too."""

    def should_apply(self, force_apply: bool = False) -> bool:
        """Draw whether the transform is applied."""
        return force_apply or happens(self.p)

    def apply(self, img: np.ndarray, pixels: np.ndarray | None = None, **params: Any) -> np.ndarray:
        """Return the new picture, uint8 (H, W, 3) or (H, W, 1) or (H, W) as it came."""
        assert pixels is not None, "get_params_dependent_on_data gives it"
        if img.ndim == 3 and img.shape[2] == 3:
            return pixels
        return _luma(pixels).reshape(img.shape)

    @property
    def targets_as_params(self) -> list[str]:
        """Return what the drawing looks at."""
        return ["image"]


class ExpressionEdit(_Drawing):
    """With probability ``p`` edit the face of ``image`` to one of ``emotions``: uint8 (H, W, 3), or grey (H, W).

    ``strengths``, ``form``, ``face_crop`` and ``device`` are as those of ``singanimation.ExpressionEdit``. From
    strength 0.5 up the label has to follow: with ``labels``, the class names in their order, a whole number handed
    in as ``label=`` is changed with the picture; ``labels="keep"`` leaves it; a ``label`` without ``labels`` is
    refused. Raises UsageError.

    >>> import albumentations as A
    >>> from skimage.data import astronaut
    >>> edit = A.Compose([ExpressionEdit(p=1, emotions=["fear"], labels=["surprise", "fear"])])
    >>> done = edit(image=astronaut(), label=0)
    >>> done["image"].shape, done["label"]
    ((512, 512, 3), 1)
    """

    def __init__(
        self,
        p: float = 0.5,
        emotions: Sequence[str] = EMOTIONS,
        strengths: tuple[float, float] = (0.7, 1.0),
        labels: Sequence[str] | Literal["keep"] | None = None,
        form: str = "any",
        face_crop: bool = False,
        device: str = "cpu",
    ) -> None:
        self._draws = EditDraws.checked(1.0, emotions, strengths, form, face_crop, device)  # p: should_apply draws
        self._labels = checked_labels(labels, self._draws.emotions)
        super().__init__(p=p)  # asks for the targets
        self.emotions, self.strengths, self.labels = emotions, strengths, labels
        self.form, self.face_crop, self.device = form, face_crop, device

    @property
    def targets(self) -> dict[str, Callable[..., Any]]:
        """Return what is changed: the picture, and with ``labels`` its label."""
        return {"image": self.apply} | ({"label": self.apply_to_label} if self._labels else {})

    def apply_to_label(self, label: int, emotion: str | None = None, **params: Any) -> int:
        """Return the label that belongs to the edited picture."""
        return new_label(int(label), emotion, self._labels or ())

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw, and edit the picture."""
        if self._labels is None and self._draws.changes_labels and "label" in data:
            raise UsageError(
                f"An edit makes the label {data['label']} wrong: give labels=[the class names in their order], "
                'or labels="keep".'
            )
        drawn = self._draws(_colours(data["image"]))
        return {"pixels": drawn.pixels, "emotion": drawn.emotion}


class RegeneratedVariant(_Drawing):
    """With probability ``p`` replace the face of ``image`` by a variant of itself; the label stays.

    ``engine``, ``starts``, ``kept``, ``face_crop``, ``device`` and the cost are as those of
    ``singanimation.RegeneratedVariant``. Raises UsageError.

    >>> from skimage.data import astronaut
    >>> RegeneratedVariant(p=1)(image=astronaut(), label=3)["image"].shape
    (512, 512, 3)
    """

    def __init__(
        self,
        p: float = 0.5,
        engine: Engine = "patch",
        starts: Sequence[str] = ("N-1", "N-2"),
        kept: int = 64,
        face_crop: bool = False,
        device: str = "cpu",
    ) -> None:
        super().__init__(p=p)
        self._draws = VariantDraws(1.0, engine, starts, kept, face_crop, device)
        self.engine, self.starts, self.kept = engine, starts, kept
        self.face_crop, self.device = face_crop, device

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw, and regenerate the picture."""
        return {"pixels": self._draws(_colours(data["image"]))}


def _colours(image: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3) of uint8 (H, W, 3), (H, W, 1) or (H, W)."""
    planes = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or planes.ndim != 3 or planes.shape[2] not in (1, 3):
        raise UsageError(f"image has to be uint8 (H, W, 3) or grey, not {image.dtype} {image.shape}.")
    return np.ascontiguousarray(np.broadcast_to(planes, (*planes.shape[:2], 3)))


def _luma(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))

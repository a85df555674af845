"""Expression edits and action units of pictures in memory: ``edit``, ``action_units`` and ``Editor``."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from singanimation.flows.api.aims import Aim, target_of
from singanimation.flows.api.pictures import PictureLike, Taken, is_several, take
from singanimation.flows.api.undisturbed import undisturbed
from singanimation.flows.models import FaceModels, choose_device, load_face_models
from singanimation.pipeline.digests import derive_seed
from singanimation.pipeline.errors import PictureError, UsageError
from singanimation.pipeline.expanders import expander_file
from singanimation.pipeline.expressions import AU_NAMES, canonical_emotion
from singanimation.pipeline.records import Crop, Source

Missing = Literal["raise", "none"]


class Editor:
    """Edits expressions and reads action units, with models that are loaded once.

    ``device`` is ``auto``, ``cpu`` or ``cuda``; ``seed`` (0 or more) varies how an emotion is shown, None shows it the
    same way each time; ``ganimation`` is another generator's file; ``aus`` whose action units (``auto``, ``embedded``,
    ``pyfeat``). Raises UsageError for a device that is not there, WeightsError for weights.

    The same picture, aim, strength and seed give the same bytes, whatever was edited before. On a device other than
    the CPU the last bits may differ.

    >>> from skimage.data import astronaut
    >>> editor = Editor(device="cpu", seed=0)
    >>> smile, grief = editor.edit([astronaut(), astronaut()], ["happiness", "sadness"], strength=0.9)
    >>> smile.shape, smile.dtype
    ((512, 512, 3), dtype('uint8'))
    >>> bool(editor.action_units(smile)[8] > editor.action_units(grief)[8])  # AU12, the lip corner puller
    True
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        seed: int | None = None,
        aus: Literal["auto", "embedded", "pyfeat"] = "auto",
        ganimation: Path | str | None = None,
    ) -> None:
        check_seed(seed)
        self.seed = seed
        with undisturbed():
            file = expander_file(Path(ganimation) if ganimation else None)
            self._models = load_face_models(aus, file, choose_device(device))

    @property
    def models(self) -> FaceModels:
        """Return the models: what finds faces, reads their action units, and edits them."""
        return self._models

    @overload
    def edit(
        self,
        pictures: PictureLike,
        aim: Aim,
        strength: float = ...,
        *,
        form: str = ...,
        seed: int | None = ...,
        face_crop: bool = ...,
        as_crop: bool = ...,
        missing: Missing = ...,
    ) -> PictureLike: ...

    @overload
    def edit(
        self,
        pictures: Sequence[PictureLike],
        aim: Aim | Sequence[Aim],
        strength: float = ...,
        *,
        form: str = ...,
        seed: int | None = ...,
        face_crop: bool = ...,
        as_crop: bool = ...,
        missing: Missing = ...,
    ) -> list[PictureLike]: ...

    def edit(
        self,
        pictures: Any,
        aim: Any,
        strength: float = 1.0,
        *,
        form: str = "first",
        seed: int | None = None,
        face_crop: bool = False,
        as_crop: bool = False,
        missing: Missing = "raise",
    ) -> Any:
        """Return the picture with its (largest) face edited, or a list of them for a list, each in its own kind.

        ``pictures`` are PIL pictures or uint8 arrays (H, W, 3) RGB, (H, W) grey, 16 px a side or more. ``aim`` is an
        emotion (``"fear"``), a compound (``"sadly-angry"``), an action unit (``"AU12"``), several
        (``{"AU12": 0.8, "AU25": 0}``) or a vector (17,) in 0..1; for a list of pictures one for all, or a list.
        ``strength`` 0..1 is the share of the way there. ``form`` is how an emotion is shown: ``first``, a form's
        name, or ``any``, drawn by the seed. ``seed`` replaces the editor's for this call; the pictures of a list get
        seeds of their own from it.

        ``face_crop`` says that the pictures are face crops already (RAF-DB's aligned ones); ``as_crop`` gives the
        aligned 128 px crop, uint8 (128, 128, 3), in place of the whole picture. Where nothing is painted or moved
        the picture's own pixels stay to the bit.

        Raises PictureError where no face is found, or one below 48 px; ``missing="none"`` puts None there instead.
        Raises UsageError for another aim, strength or kind of picture.
        """
        several = is_several(pictures)
        given = list(pictures) if several else [pictures]
        aims = _aims(aim, len(given), several)
        seed = self.seed if seed is None else seed
        check_seed(seed)
        with undisturbed():
            edited = [
                self._edit(take(each), to, strength, form, _own_seed(seed, place), face_crop, as_crop, missing)
                for place, (each, to) in enumerate(zip(given, aims, strict=True))
            ]
        return edited if several else edited[0]

    def _edit(
        self,
        taken: Taken,
        aim: Aim,
        strength: float,
        form: str,
        seed: int | None,
        face_crop: bool,
        as_crop: bool,
        missing: Missing,
    ) -> Any:
        try:
            crop = self.find_face(taken.pixels, face_crop)
        except PictureError:
            if missing == "none":
                return None
            raise
        units = self._models.action_units(crop.pixels[None])[0]
        labels = self._models.expander.labels
        if labels is not None and (
            not isinstance(aim, str) or canonical_emotion(aim) not in labels or 0 < strength < 1
        ):
            raise UsageError(f"This expander draws {', '.join(labels)} by label, at full strength, and nothing else.")
        target = target_of(aim, strength, units, form, seed)
        edits = self._models.expander.edit(crop.pixels, units, target.units[None], target.sides[None], crop.seen)
        if as_crop:
            return taken.give(edits.pictures[0])
        flow = None if edits.flow is None else edits.flow[0]
        pixels = self._models.paste_edit(taken.pixels, crop, edits.attention[0], edits.colour[0], flow)
        return taken.give(pixels)

    def action_units(self, pictures: Any, *, face_crop: bool = False, missing: Missing = "raise") -> np.ndarray:
        """Return the action units of the (largest) face: float32 (17,) in 0..1, for a list of N pictures (N, 17).

        The order is OpenFace's (``singanimation.AU_NAMES``). ``missing="none"`` gives a row of NaN where no face is
        found; else PictureError is raised. Raises UsageError for other kinds of pictures.
        """
        several = is_several(pictures)
        rows = []
        with undisturbed():
            for each in pictures if several else [pictures]:
                try:
                    crop = self.find_face(take(each).pixels, face_crop)
                    rows.append(self._models.action_units(crop.pixels[None])[0])
                except PictureError:
                    if missing != "none":
                        raise
                    rows.append(np.full(len(AU_NAMES), np.nan, np.float32))
        table = np.array(rows, np.float32).reshape(-1, len(AU_NAMES))
        return table if several else table[0]

    def find_face(self, pixels: np.ndarray, face_crop: bool = False) -> Crop:
        """Return the (largest) face in ``pixels`` uint8 (H, W, 3). Raises PictureError where there is none."""
        return self._models.find_face(pixels, Source("", "picture", None, "", is_face_crop=face_crop))


@lru_cache(maxsize=4)
def shared_editor(device: str = "auto", ganimation: str | None = None) -> Editor:
    """Return the editor that this process keeps for a device and a generator."""
    return Editor(device=device, ganimation=ganimation)


def edit(pictures: Any, aim: Any, strength: float = 1.0, *, device: str = "auto", **options: Any) -> Any:
    """Return the picture, or the list of pictures, with the face's expression edited: ``Editor.edit`` by a kept editor.

    The models are loaded at the first call (seconds) and stay; ``options`` are those of ``Editor.edit``.

    >>> from skimage.data import astronaut
    >>> from PIL import Image
    >>> afraid = edit(Image.fromarray(astronaut()), "fear", strength=0.8)
    >>> afraid.size, afraid.mode
    ((512, 512), 'RGB')
    """
    return shared_editor(device).edit(pictures, aim, strength, **options)


def action_units(pictures: Any, *, device: str = "auto", face_crop: bool = False, missing: Missing = "raise") -> Any:
    """Return action units float32 (17,) in 0..1, or (N, 17) for a list: ``Editor.action_units`` by a kept editor.

    >>> from skimage.data import astronaut
    >>> units = action_units(astronaut())
    >>> units.shape, bool(units[8] > 0.5)  # AU12: she smiles
    ((17,), True)
    """
    return shared_editor(device).action_units(pictures, face_crop=face_crop, missing=missing)


def _aims(aim: Any, count: int, several: bool) -> list[Aim]:
    if isinstance(aim, (list, tuple)) and any(not isinstance(each, (int, float)) for each in aim):
        if not several or len(aim) != count:
            raise UsageError(f"{len(aim)} aims for {count} picture(s): give one for all, or one for each.")
        return list(aim)
    return [np.asarray(aim, np.float32) if isinstance(aim, (list, tuple)) else aim] * count


def _own_seed(seed: int | None, place: int) -> int | None:
    return seed if seed is None or place == 0 else derive_seed(seed, "", "edit", place)


def check_seed(seed: int | None) -> None:
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        raise UsageError(f"seed is a whole number of 0 or more, or None, not {seed!r}.")

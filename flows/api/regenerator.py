"""Variants of pictures in memory: ``Regenerator``, a small SinGAN per face."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from singanimation.flows.api.editor import check_seed
from singanimation.flows.api.pictures import PictureLike, Taken, take
from singanimation.flows.api.undisturbed import undisturbed
from singanimation.flows.models import Models, load_models
from singanimation.flows.source.reframing import as_learnt, resized
from singanimation.pipeline.digests import derive_seed
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.plan import ATTEMPTS_PER_ACCEPTED
from singanimation.pipeline.records import Crop, Fault, Source
from singanimation.pipeline.settings import Engine, Settings, make_settings


class Regenerator:
    """Draws variants of a face: small changes of texture, light and detail, by a model fitted to that face alone.

    ``engine`` is ``fast`` (a small GAN), ``patch`` (patches, no GAN) or ``reference`` (the published SinGAN: hours);
    ``starts`` are the scales that variants begin at (N-1 changes more than N-2); ``seed`` is 0 or more. ``options``
    are the other settings of a run that concern an engine and the filter: ``singan_iterations``, ``singan_size``,
    ``singan_noise``, ``sifid_max``, ``sifid_features``. Raises UsageError, WeightsError.

    >>> from skimage.data import astronaut
    >>> drawn = Regenerator(engine="patch", device="cpu").variants(astronaut(), 2)
    >>> [variant.shape for variant in drawn]
    [(512, 512, 3), (512, 512, 3)]
    """

    def __init__(
        self,
        *,
        engine: Engine = "fast",
        device: str = "auto",
        seed: int = 0,
        starts: Sequence[str] = ("N-1", "N-2"),
        **options: Any,
    ) -> None:
        check_seed(seed)
        settings = make_settings(
            input="a picture", engine=engine, device=device, seed=seed, start_scale=tuple(starts), **options
        )
        with undisturbed():
            self._models, self._settings = load_models(settings), settings

    @property
    def seed(self) -> int:
        """Return the seed of the fits and draws where none is given."""
        return self._settings.seed

    def variants(
        self,
        picture: PictureLike,
        count: int,
        *,
        seed: int | None = None,
        face_crop: bool = False,
        as_crop: bool = False,
        checked: bool = True,
    ) -> list[PictureLike]:
        """Return up to ``count`` variants of a PIL picture or uint8 array (H, W, 3) or (H, W), in its own kind.

        The face's 128 px crop is regenerated and put back; ``as_crop`` gives the crops. ``checked`` keeps only what a
        run would accept (no near-copies, no damaged faces, the same expression, SIFID under the limit): at most
        three times ``count`` are drawn, so that fewer may come back. The same picture and seed give the same bytes.

        The fit is what takes time (``fast`` 2 s of a core, ``patch`` 0.6 s at the first draw): ``fit`` keeps it.
        Raises PictureError where no face is found, UsageError for other pictures.
        """
        return self.fit(picture, seed=seed, face_crop=face_crop).draw(count, as_crop=as_crop, checked=checked)

    def fit(
        self, picture: PictureLike, *, seed: int | None = None, face_crop: bool = False
    ) -> "FittedFace[PictureLike]":
        """Learn a picture's face, and return what draws from it. Raises PictureError, UsageError."""
        seed = self.seed if seed is None else seed
        check_seed(seed)
        taken, models = take(picture), self._models
        with undisturbed():
            crop = models.faces.find_face(taken.pixels, Source("", "picture", None, "", is_face_crop=face_crop))
            small = resized(crop.pixels, self._settings.singan_size)
            fitted = models.regenerator.fit(
                small[None], [derive_seed(seed, "", "fit")], self._settings.start_scale, [0]
            )
            units = models.faces.action_units(crop.pixels[None])[0]
        return FittedFace(models, self._settings, taken, crop, units, fitted, seed)


@dataclass(frozen=True)
class FittedFace(Generic[PictureLike]):
    """A model of one face, from ``Regenerator.fit``."""

    models: Models
    settings: Settings
    taken: Taken
    crop: Crop
    units: np.ndarray
    fitted: Any
    seed: int

    def draw(
        self, count: int, *, seed: int | None = None, as_crop: bool = False, checked: bool = True
    ) -> list[PictureLike]:
        """Return up to ``count`` variants, see ``Regenerator.variants``; other seeds draw others."""
        if count < 1:
            raise UsageError(f"count is 1 or more, not {count!r}.")
        seed = self.seed if seed is None else seed
        check_seed(seed)
        kept: list[np.ndarray] = []
        with undisturbed():
            for attempt in range(count * ATTEMPTS_PER_ACCEPTED if checked else count):
                start = self.settings.start_scale[attempt % len(self.settings.start_scale)]
                drawn = self.fitted.draw(0, start, [derive_seed(seed, "", f"draw {start}", attempt)])[0]
                variant = resized(drawn, len(self.crop.pixels))
                if not checked or self.fault(variant, kept) is None:
                    kept.append(variant)
                if len(kept) == count:
                    break
            return [self.taken.give(each if as_crop else self._put_back(each)) for each in kept]

    def fault(self, variant: np.ndarray, kept: Sequence[np.ndarray] = ()) -> Fault | None:
        """Return why a run would reject a variant uint8 (128, 128, 3) beside those it ``kept``; None: it would not."""
        units = self.models.faces.action_units(variant[None])[0]
        learnt = as_learnt(self.crop.pixels, self.settings.singan_size)
        fault = self.models.checks.first_fault((learnt, variant), (self.units, units), kept)
        if fault is not None:
            return fault
        sifid = self.models.sifid.measure(self.crop.pixels, variant[None])
        if bool(self.models.sifid.accepts(sifid)[0]):
            return None
        return Fault("sifid", f"SIFID {sifid[0]:.4g} is above the limit of {self.models.sifid.threshold:.4g}.")

    def _put_back(self, variant: np.ndarray) -> np.ndarray:
        return self.models.faces.paste(self.taken.pixels, self.crop, variant)

"""What an expander is: one signature for all that draw edits of a face, and the registry of the siblings.

An expander's networks are told by the ``architecture`` that its file names (``checkpoints``); ``editor`` runs any of
them on crops.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from singanimation.stages.expansion.composition import Generator


class Edits(NamedTuple):
    """K edits of one crop.

    ``pictures`` uint8 (K, 128, 128, 3) RGB; ``attention`` float32 (K, 128, 128), 1 where the crop's own pixels
    stay; ``colour`` uint8 (K, 128, 128, 3), what the generator paints where they do not; ``flow`` float32
    (K, 2, 128, 128), where kept pixels come from, in pixels (x, y), or None.
    """

    pictures: np.ndarray
    attention: np.ndarray
    colour: np.ndarray
    flow: np.ndarray | None


class Expander(Protocol):
    """Draws edits of one crop. ``digest`` names its weights: other weights make other rows.

    So does another ``drawing``: a digest of what else decides the pixels, empty where nothing does. ``labels`` are the
    emotions that it draws where it goes by labels, not by action units: a target is then taken for the emotion whose
    form is nearest, and drawn at full strength; None for what draws any action units.
    """

    digest: str
    drawing: str
    labels: tuple[str, ...] | None

    def edit(
        self,
        crop: np.ndarray,
        au_source: np.ndarray,
        au_targets: np.ndarray,
        sides: np.ndarray | None = None,
        seen: np.ndarray | None = None,
    ) -> Edits:
        """Edit ``crop`` (128, 128, 3) uint8 from ``au_source`` (17,) to each of ``au_targets`` (K, 17), 0..1.

        ``sides`` (K, 17) in -1..1: the face's half at the picture's left changes by 1 + sides of a unit's change, the
        other by 1 - sides, where the expander can tell sides apart (others edit both alike). ``seen`` bool
        (128, 128): which of the crop's pixels its picture has; the others are left alone. A target equal to the source
        gives back the crop's very bytes; an edit depends on nothing but its own target and sides. A grey crop's edits
        are grey.
        """
        ...


def _geometry() -> type[Generator]:
    from singanimation.stages.expansion.geometry.generator import GeometryGenerator

    return GeometryGenerator


def _paper() -> type[Generator]:
    from singanimation.stages.expansion.ganimation.networks import PaperGenerator

    return PaperGenerator


def _paper_with_statistics() -> type[Generator]:
    from singanimation.stages.expansion.ganimation.published.networks import StatisticsGenerator

    return StatisticsGenerator


def _transfer() -> type[Generator]:
    from singanimation.stages.expansion.transfer.networks import TransferGenerator

    return TransferGenerator


def _stargan() -> type[Generator]:
    from singanimation.stages.expansion.stargan.networks import StarGenerator

    return StarGenerator


def _cyclegan() -> type[Generator]:
    from singanimation.stages.expansion.cyclegan.networks import CycleGenerator

    return CycleGenerator


def _landmarks() -> type[Generator]:
    from singanimation.stages.expansion.landmarks.networks import LandmarkGenerator

    return LandmarkGenerator


ARCHITECTURES: Mapping[str, Callable[[], type[Generator]]] = {
    "geometry": _geometry,
    "paper": _paper,
    "paper-statistics": _paper_with_statistics,
    "transfer": _transfer,
    "stargan": _stargan,
    "cyclegan": _cyclegan,
    "landmarks": _landmarks,
}
"""The siblings by the name that their files carry: each gives its network's class."""

"""SinGANimation: grow facial-expression datasets from the faces they have.

>>> from singanimation import edit, action_units, Editor, Regenerator, augment, read

Names are loaded when they are first used: importing this package loads neither torch nor anything else that is heavy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from singanimation.flows.api import albumentations_style as albumentations  # noqa: F401 - by name
    from singanimation.flows.api.editor import Editor as Editor
    from singanimation.flows.api.editor import action_units as action_units
    from singanimation.flows.api.editor import edit as edit
    from singanimation.flows.api.regenerator import Regenerator as Regenerator
    from singanimation.flows.api.run import augment as augment
    from singanimation.flows.api.transforms import ExpressionEdit as ExpressionEdit
    from singanimation.flows.api.transforms import RegeneratedVariant as RegeneratedVariant
    from singanimation.manifests.reading import read as read
    from singanimation.pipeline.errors import PictureError as PictureError
    from singanimation.pipeline.errors import SinganimationError as SinganimationError
    from singanimation.pipeline.expressions import AU_NAMES as AU_NAMES
    from singanimation.pipeline.expressions import EMOTIONS as EMOTIONS

    __version__: str

_WHERE = {
    "edit": "flows.api.editor",
    "action_units": "flows.api.editor",
    "Editor": "flows.api.editor",
    "Regenerator": "flows.api.regenerator",
    "augment": "flows.api.run",
    "read": "manifests.reading",
    "ExpressionEdit": "flows.api.transforms",
    "RegeneratedVariant": "flows.api.transforms",
    "SinganimationError": "pipeline.errors",
    "PictureError": "pipeline.errors",
    "AU_NAMES": "pipeline.expressions",
    "EMOTIONS": "pipeline.expressions",
}

# without what needs an extra: ExpressionEdit, RegeneratedVariant, albumentations
__all__ = [
    "AU_NAMES",
    "EMOTIONS",
    "Editor",
    "PictureError",
    "Regenerator",
    "SinganimationError",
    "__version__",
    "action_units",
    "augment",
    "edit",
    "read",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        return importlib.import_module("singanimation.pipeline.digests").code_version()
    if name == "albumentations":
        return importlib.import_module("singanimation.flows.api.albumentations_style")
    if name in _WHERE:
        return getattr(importlib.import_module(f"singanimation.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *__all__, "albumentations"})

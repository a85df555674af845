"""The room with pyarrow: schema, writing, reading, checking and handing over a manifest."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from singanimation.manifests.reading import read as read

__all__ = ["read"]


def __getattr__(name: str) -> Any:
    # pyarrow and pandas cost half a second: they are loaded when a manifest is read, not for `augment --help`.
    # The module is not called read, or importing it would hide the function.
    if name == "read":
        import importlib

        return importlib.import_module("singanimation.manifests.reading").read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

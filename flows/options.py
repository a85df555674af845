"""The settings as command-line options: names, help and defaults are read from the Settings' own fields."""

import functools
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from singanimation.pipeline.settings import Settings

_SWITCHES = {"resume": "--resume/--no-resume"}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command(options, ...)`` one option per field of Settings; ``options`` holds those that were typed.

    What was not typed is absent, so that environment variables and defaults count, in Settings alone.
    """
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]
    added = [_parameter(name) for name in Settings.model_fields]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        typed = {name: values.pop(name) for name in Settings.model_fields}
        command(options={name: value for name, value in typed.items() if value is not None}, **values)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *added]]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__  # else typer reads the undecorated signature
    return wrapper


def _parameter(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    kind = _plain_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    declared = [_SWITCHES.get(name, flag)] if kind is bool else [flag]
    # the option itself has no default: what was not typed must be told from what was
    text = (field.description or "").rstrip(".")
    option = typer.Option(*declared, help=f"{text[:1].upper()}{text[1:]}{_default(field)}.", show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _default(field: Any) -> str:
    if field.is_required() or field.default is None or field.default is False:
        return ""
    shown = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return f" (default: {shown})"


def _plain_type(annotation: Any) -> type:
    """Return what the command line reads for a field: numbers and switches as such, the rest as text."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation if annotation in (int, float, bool, Path) else str

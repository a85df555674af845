"""The settings as command-line options: names, help, choices and defaults are read from the Settings' own fields."""

import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singanimation.pipeline.config_file import read_config
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import expander_file
from singanimation.pipeline.settings import Settings

if TYPE_CHECKING:
    from singanimation.stages.expansion.editor import ExpressionEditor

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]

_SWITCHES = {"resume": "--resume/--no-resume"}
_ALSO_CALLED = {"ganimation": ("--expander",)}
"""Other names of a field's option."""

ExpanderOption = Annotated[
    Path | None,
    typer.Option(
        "--expander",
        "--ganimation",
        metavar="NAME|FILE",
        callback=expander_file,
        help="Who draws edits: geometry, or the file of a sibling that was trained; default: geometry, which ships.",
        show_default=False,
    ),
]
_CONFIG = typer.Option(
    "--config",
    metavar="FILE",
    help="Settings from a JSON or TOML file, such as a run's settings.json; options typed here come first.",
    show_default=False,
)


ExpandersOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE,...", help="Several, side by side, such as geometry,stargan.safetensors.", show_default=False
    ),
]


def load_expanders(text: str | None, single: Path | None) -> "dict[str, ExpressionEditor] | None":
    """Return the expanders of ``--expanders`` by name (files by theirs), None where the option is not given.

    Raises UsageError for a name twice, or beside ``--expander``; WeightsError for a file that is none.
    """
    if text is None:
        return None
    if single is not None:
        raise UsageError("--expander and --expanders: give one of them.")
    from singanimation.stages.expansion.editor import ExpressionEditor

    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [Path(word).stem for word in words]
    if not words or len(set(names)) < len(names):
        raise UsageError(f"--expanders {text!r}: name each of them once, such as geometry,stargan.safetensors.")
    return {
        name: ExpressionEditor.load(expander_file(Path(word).expanduser()))
        for name, word in zip(names, words, strict=True)
    }


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command(options, ...)`` one option per field of Settings, and ``--config``.

    ``options`` holds those that were typed, and from the file those that were not. What neither says is absent, so
    that environment variables and defaults count, in Settings alone.
    """
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]
    config = inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, _CONFIG]
    )
    added = [config, *(_parameter(name) for name in Settings.model_fields)]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        typed = {name: values.pop(name) for name in Settings.model_fields}
        config = values.pop("config")
        options = read_config(config) if config is not None else {}
        options |= {name: value for name, value in typed.items() if value is not None}
        command(options=options, **values)

    return _with_parameters(wrapper, [*own, *added])


def gathered(
    parameter: str, make: Callable[..., Any], options: Mapping[str, tuple[Any, Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option each of ``options`` (name -> annotation, default) in place of its ``parameter``.

    The command gets as ``parameter`` what ``make`` makes of their values, by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != parameter]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ]

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            made = make(**{name: values.pop(name) for name in options})
            command(**{parameter: made}, **values)

        return _with_parameters(wrapper, [*own, *added])

    return decorate


def _with_parameters(wrapper: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__  # type: ignore[attr-defined] - else typer reads the undecorated signature
    return wrapper


def check_input(options: Mapping[str, Any]) -> None:
    """Raise UsageError where neither the options nor the environment name an input."""
    if "input" not in options and not os.environ.get("SINGANIMATION_INPUT"):
        raise UsageError("--input is missing: name a data set, a folder, an image, an index, or `sample`.")


def _parameter(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    kind = _read_as(field.annotation)
    flag = "--" + name.replace("_", "-")
    declared = [_SWITCHES.get(name, flag)] if kind is bool else [*_ALSO_CALLED.get(name, ()), flag]
    # the option itself has no default: what was not typed must be told from what was
    text = (field.description or "").rstrip(".")
    option = typer.Option(
        *declared,
        help=f"{text[:1].upper()}{text[1:]}{_default(field)}.",
        metavar=_several(field.annotation),
        show_default=False,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _default(field: Any) -> str:
    if field.is_required() or field.default is None or field.default is False:
        return ""
    shown = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return f" (default: {shown})"


def _read_as(annotation: Any) -> Any:
    """Return what the command line reads for a field: numbers, switches and choices as such, the rest as text."""
    annotation = _without_none(annotation)
    if typing.get_origin(annotation) is Literal:
        return annotation
    return annotation if annotation in (int, float, bool, Path) else str


def _several(annotation: Any) -> str | None:
    """Return how the help shows a list of choices: ``N|N-1|N-2,...``; None for what is no such list."""
    of = typing.get_args(_without_none(annotation))
    if typing.get_origin(_without_none(annotation)) is tuple and of and typing.get_origin(of[0]) is Literal:
        return "|".join(map(str, typing.get_args(of[0]))) + ",..."
    return None


def _without_none(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation

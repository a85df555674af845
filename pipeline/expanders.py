"""The expanders by the names that users write, and where their weights come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import COMPOUNDS, EMOTIONS

SHIPPED = "geometry"

TRAINED_BY: Mapping[str, str] = MappingProxyType(
    {
        "ganimation": "augment train ganimation --recipe paper",
        "transfer": "augment train transfer",
        "stargan": "augment train stargan",
        "cyclegan": "augment train cyclegan",
        "landmarks": "augment train landmarks",
    }
)
"""Siblings whose weights do not ship, each with the command that trains it."""


def expander_file(given: Path | None) -> Path | None:
    """Return the file of ``--expander NAME|FILE``; None for what ships. A file goes before a name.

    Raises UsageError for the name of a sibling that has no weights here, saying how to get them.
    """
    if given is None or given.is_file() or str(given) not in (SHIPPED, *TRAINED_BY):
        return given
    if str(given) == SHIPPED:
        return None
    raise UsageError(
        f"--expander {given}: no weights of it ship; `{TRAINED_BY[str(given)]} --input FACES --output {given}"
        f".safetensors` trains them, then give that file."
    )


def check_labels(labels: Sequence[str] | None, expressions: Sequence[str], given: str) -> None:
    """Raise UsageError where ``expressions`` ask an expander for what it cannot draw.

    One that goes by ``labels`` draws discrete edits to these emotions alone (what edits of appearance change, it does
    not draw); None draws everything.
    """
    if labels is None:
        return
    words = [word for word in expressions if word != "appearance"]
    asked = [name for word in words for name in (EMOTIONS if word == "discrete" else (word,))]
    beyond = [name for name in asked if name not in labels]
    if beyond:
        what = "discrete edits" if all(name in (*EMOTIONS, *COMPOUNDS) for name in beyond) else "such edits"
        raise UsageError(
            f"--expander {given} draws {', '.join(labels)} by label, and no {what} of {', '.join(beyond)}; "
            f"give --expressions {','.join(labels)}."
        )


def needs_units(labels: Sequence[str] | None, what: str) -> None:
    """Raise UsageError where ``what`` (of the command line, or the like) asks a label's expander for action units."""
    if labels is not None:
        raise UsageError(f"{what} asks for action units, and this expander draws {', '.join(labels)} by label alone.")

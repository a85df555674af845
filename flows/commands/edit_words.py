"""The words that `augment edit` takes in its options: action units, emotions, strengths."""

from collections.abc import Iterable
from typing import TypeVar

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expressions import (
    AU_NAMES,
    COMPOUNDS,
    EMOTIONS,
    canonical_au,
    canonical_compound,
    canonical_emotion,
)

_Item = TypeVar("_Item")


def _once(items: Iterable[_Item]) -> list[_Item]:
    """What is named twice is made once: the pictures would have one name."""
    return list(dict.fromkeys(items))


def split_words(text: str | None) -> list[str]:
    """Return what stands between commas, blanks taken off."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _unit(option: str, word: str) -> str:
    name = canonical_au(word)
    if name is None:
        raise UsageError(f"{option}: {word!r} is no action unit; use {', '.join(AU_NAMES)}.")
    return name


def read_emotion(option: str, word: str) -> str:
    """Return the name of an emotion or compound. Raises UsageError."""
    name = canonical_emotion(word) or canonical_compound(word)
    if name is None:
        raise UsageError(f"{option}: {word!r} is no emotion; use {', '.join((*EMOTIONS, *COMPOUNDS))}.")
    return name


def read_units(text: str | None) -> list[str]:
    """Return the action units of --aus, ``all`` for every one. Raises UsageError."""
    return list(AU_NAMES) if split_words(text) == ["all"] else _once(_unit("--aus", word) for word in split_words(text))


def read_emotions(text: str | None) -> list[str]:
    """Return the emotions and compounds of --emotions, ``all`` for the seven. Raises UsageError."""
    return (
        list(EMOTIONS)
        if split_words(text) == ["all"]
        else _once(read_emotion("--emotions", word) for word in split_words(text))
    )


def _number(option: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{option}: {word!r} is no number from 0 to 1.")
    return value


def read_numbers(text: str | None) -> list[float] | None:
    """Return the strengths of --strengths, 0..1; None where none are named. Raises UsageError."""
    return _once(_number("--strengths", word) for word in split_words(text)) or None


def read_settings(text: str | None) -> dict[str, float]:
    """Return the action units of --set with what each is set to, 0..1. Raises UsageError."""
    pairs = [word.partition("=") for word in split_words(text)]
    names = [_unit("--set", name) for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise UsageError(f"--set {text} names an action unit twice.")
    return {name: _number("--set", value) for name, (_, _, value) in zip(names, pairs, strict=True)}

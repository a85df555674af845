"""Words out of files that strangers wrote, fit to be printed in a message."""

import os

_MOST = 120


def shown(text: object) -> str:
    """Return ``text`` on one line, without what steers a terminal, and cut where it is long."""
    line = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: _MOST + 1])
    return line if len(line) <= _MOST else line[: _MOST - 3] + "..."


def readable(text: str) -> str:
    """Return a file's name as text that any table can hold: bytes that are no UTF-8 stand as ``\\xff``.

    Different names stay different; names that are UTF-8 are returned as they are.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    return text


def words(text: str) -> tuple[str, ...]:
    """Return the words of ``text``, which blanks part: a long list of names that stays readable in code."""
    return tuple(text.split())

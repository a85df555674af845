"""Words out of files that strangers wrote, fit to be printed in a message."""

_MOST = 120


def shown(text: object) -> str:
    """Return ``text`` on one line, without what steers a terminal, and cut where it is long."""
    line = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: _MOST + 1])
    return line if len(line) <= _MOST else line[: _MOST - 3] + "..."

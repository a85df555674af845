"""Digests and seeds: what makes a row the same row, and a draw the same draw."""

import hashlib
from importlib.metadata import PackageNotFoundError, version

SEED_BITS = 63


class Digest:
    """The SHA-256 over some parts; more can be put after them, again and again from the same start.

    Each part is written with its length in front, so that ("ab", "c") and ("a", "bc") differ.
    """

    def __init__(self, *parts: object, start: "Digest | None" = None) -> None:
        self._sha = hashlib.sha256() if start is None else start._sha.copy()
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode()
            self._sha.update(len(data).to_bytes(8, "big") + data)

    def and_then(self, *parts: object) -> "Digest":
        """Return the digest of these parts after the ones so far."""
        return Digest(*parts, start=self)

    def hex(self, length: int = 32) -> str:
        """Return its first ``length`` hex digits."""
        return self._sha.hexdigest()[:length]


def digest(*parts: object, length: int = 32) -> str:
    """Return ``length`` hex digits of the SHA-256 over ``parts``, see Digest."""
    return Digest(*parts).hex(length)


def derive_seed(run_seed: int, source_id: str, stage: str, index: int | str = 0) -> int:
    """Return a seed in 0 .. 2**63-1 that depends on nothing but these four, so that order cannot matter."""
    return int(digest("seed", run_seed, source_id, stage, index, length=16), 16) >> (64 - SEED_BITS)


def code_version() -> str:
    """Return the installed version of this package, or ``checkout`` when it runs uninstalled."""
    try:
        return version("singanimation")
    except PackageNotFoundError:
        return "checkout"

"""Digests and seeds: what makes a row the same row, and a draw the same draw."""

import hashlib
from importlib.metadata import PackageNotFoundError, version

SEED_BITS = 63


def digest(*parts: object, length: int = 32) -> str:
    """Return ``length`` hex digits of the SHA-256 over ``parts``.

    Each part is written with its length in front, so that ("ab", "c") and ("a", "bc") differ.
    """
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()[:length]


def derive_seed(run_seed: int, source_id: str, stage: str, index: int | str = 0) -> int:
    """Return a seed in 0 .. 2**63-1 that depends on nothing but these four, so that order cannot matter."""
    return int(digest("seed", run_seed, source_id, stage, index, length=16), 16) >> (64 - SEED_BITS)


def code_version() -> str:
    """Return the installed version of this package, or ``checkout`` when it runs uninstalled."""
    try:
        return version("singanimation")
    except PackageNotFoundError:
        return "checkout"

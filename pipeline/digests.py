"""Digests and seeds: what makes a row the same row, and a draw the same draw.

A second run over a large manifest makes a million of them: what many share is encoded once (``encoded``), and what
recurs from source to source is remembered (``encoded_words``).
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

SEED_BITS = 63
DIGITS = 32


def encoded(*parts: object) -> bytes:
    """Return the bytes that a digest of ``parts`` is taken over; those of more parts are put after them.

    Each part is written with its length in front, so that ("ab", "c") and ("a", "bc") differ.
    """
    pieces = []
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        pieces.append(len(data).to_bytes(8, "big") + data)
    return b"".join(pieces)


@lru_cache(maxsize=4096)
def encoded_words(*words: str | int) -> bytes:
    """Return ``encoded(*words)``, remembered: for the words of a plan, which recur in every source."""
    return encoded(*words)


def hex_digest(data: bytes, length: int = DIGITS) -> str:
    """Return the first ``length`` hex digits of the SHA-256 over what ``encoded`` made."""
    return hashlib.sha256(data).hexdigest()[:length]


def digest(*parts: object, length: int = DIGITS) -> str:
    """Return ``length`` hex digits of the SHA-256 over ``parts``, see ``encoded``."""
    return hex_digest(encoded(*parts), length)


def real_row_id(dataset: str, source_id: str, sha256: str | None) -> str:
    """Return the id of a source's own row: data set, source id and the digest of its file's bytes alone."""
    return digest("real", dataset, source_id, sha256 or "")


def derive_seed(run_seed: int, source_id: str, stage: str, index: int | str = 0) -> int:
    """Return a seed in 0 .. 2**63-1 that depends on nothing but these four, so that order cannot matter."""
    return seed_of(encoded("seed", run_seed, source_id, stage, index))


def seed_of(data: bytes) -> int:
    """Return the seed that ``derive_seed`` makes of what ``encoded`` made of its parts."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") >> (64 - SEED_BITS)


def code_version() -> str:
    """Return the installed version of this package, or ``checkout`` when it runs uninstalled."""
    try:
        return version("singanimation")
    except PackageNotFoundError:
        return "checkout"

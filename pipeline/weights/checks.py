"""Is a weights file what it should be? Its full hash, its published first digits, or what it was when first used."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from singanimation.pipeline.errors import MachineError, WeightsError
from singanimation.pipeline.files.atomic import atomic_file
from singanimation.pipeline.files.untrusted import shown
from singanimation.pipeline.weights.entries import Entry


@dataclass(frozen=True)
class Verdict:
    """What ``verify`` found: ``good``, the file's full ``sha256``, and one ``sentence`` that says why."""

    good: bool
    sha256: str
    sentence: str


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file. Raises WeightsError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error


def record_path(path: Path) -> Path:
    """Return the place of the small JSON that pins a cached file."""
    return path.with_name(path.name + ".pin.json")


def read_pin(path: Path) -> dict[str, Any]:
    """Return what was pinned for the cached file ``path``, empty where nothing was. Raises WeightsError."""
    record = record_path(path)
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{record} cannot be read ({error}); delete it to pin the file anew.") from error
    if not (
        isinstance(content, dict) and isinstance(content.get("sha256"), str) and isinstance(content.get("size"), int)
    ):
        raise WeightsError(f"{record} is no pin of this program; delete it to pin the file anew.")
    return content


def write_pin(path: Path, sha256: str, size: int, origin: str) -> None:
    """Pin the cached file ``path``: its hash, size and origin. Raises MachineError for the disk."""
    content = {"sha256": sha256, "size": size, "from": origin, "pinned": datetime.now(UTC).isoformat("T", "seconds")}
    with atomic_file(record_path(path)) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def verify(entry: Entry, path: Path, pin: dict[str, Any] | None = None) -> Verdict:
    """Hash ``path`` and compare with the entry, and with the pin where the cached file has one."""
    sha256 = file_sha256(path)
    pinned = (pin or {}).get("sha256")
    if not sha256.startswith(entry.known_hash):
        begins = f"a sha256 that begins with {entry.prefix} ({entry.prefix_from})"
        expected = f"sha256 {entry.sha256}" if entry.sha256 else begins
        return Verdict(False, sha256, f"expected {expected}, found {sha256}")
    if entry.sha256:
        return Verdict(True, sha256, "its sha256 is the one this version was released with")
    if pinned is not None and pinned != sha256:
        return Verdict(False, sha256, f"expected sha256 {pinned} (pinned when it was first used), found {sha256}")
    damage = _damage(path) if entry.file.endswith(".safetensors") else None
    if damage:
        return Verdict(False, sha256, f"expected safetensors, found something else or a part of it ({damage})")
    begins = f"its sha256 begins with {entry.prefix} ({entry.prefix_from})" if entry.prefix else "no hash is published"
    return Verdict(True, sha256, begins + (", and it is as when it was first used" if pinned else ""))


def _damage(path: Path) -> str | None:
    """Return what is wrong with a safetensors file's header and length; where no hash is known, better than nothing."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as opened:
            return None if opened.keys() else "it is empty"
    except (SafetensorError, OSError) as error:
        return shown(error)


def adopt(entry: Entry, path: Path) -> None:
    """Check a cached file when it is first used and pin it; later only its size is compared, which is quick.

    Raises WeightsError where it is not what it should be.
    """
    pin = read_pin(path)
    size = path.stat().st_size
    if pin:
        if pin["size"] != size:
            raise WeightsError(
                f"{path} has {size:,} bytes and had {pin['size']:,} when it was pinned; "
                f"run `augment weights fetch {entry.name} --force`."
            )
        return
    verdict = verify(entry, path)
    if not verdict.good:
        raise WeightsError(
            f"{path} is not the file it should be: {verdict.sentence}; "
            f"run `augment weights fetch {entry.name} --force`."
        )
    try:
        write_pin(path, verdict.sha256, size, "put there by hand")
    except MachineError:
        return  # a folder that may only be read: the file is then hashed at each use

"""``--config``: settings from a file that somebody wrote, or that an earlier run saved."""

import json
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.settings import Settings

_LARGEST = 1_000_000


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings that a JSON file (``runs/<id>/settings.json``) or a TOML file (``*.toml``) holds.

    Keys are the fields of Settings, with ``-`` or ``_``; ``null`` counts as not given. The values are checked where
    Settings are made. Raises UsageError for a file that cannot be read, and for a key that is no setting.
    """
    content = _parsed(path)
    if not isinstance(content, dict):
        raise UsageError(f"--config {path} holds no settings: a table of names and values is wanted.")
    settings = {name.replace("-", "_"): value for name, value in content.items() if value is not None}
    for name in settings:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, 1)
            meant = f"did you mean {near[0]}?" if near else "`augment --help` lists them."
            raise UsageError(f"--config {path}: {name} is no setting; {meant}")
    return settings


def _parsed(path: Path) -> Any:
    try:
        if not path.is_file():
            raise UsageError(f"--config {path}: there is no such file.")
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"--config {path} is too large to hold settings.")
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise UsageError(f"--config {path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:  # of JSON, of TOML and of bytes that are no UTF-8
        kind = "TOML" if path.suffix.lower() == ".toml" else "JSON"
        raise UsageError(f"--config {path} is no {kind}: {str(error).splitlines()[0]}.") from None

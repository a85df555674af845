"""``--input hf://datasets/OWNER/NAME``: a data set of the Hugging Face hub, from the local cache or fetched into it."""

import re
from dataclasses import replace
from pathlib import Path

from singanimation.pipeline.datasets.dataset import Dataset
from singanimation.pipeline.datasets.files import read_text
from singanimation.pipeline.datasets.tables import TABLE_SUFFIXES
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.pictures import SUFFIXES
from singanimation.pipeline.files.regular import is_regular
from singanimation.pipeline.files.untrusted import shown

PREFIX = "hf://"
_ADDRESS = re.compile(r"hf://datasets/(?P<repo>[\w.\-]+/[\w.\-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<inner>.+))?$")
_WANTED = (*TABLE_SUFFIXES, *SUFFIXES, ".tar", ".txt", ".yaml", ".md", ".json")


def fetch(text: str) -> Path:
    """Return the local folder (or file) of ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``.

    What the cache holds is used as it is; else it is fetched. Raises DatasetError in one sentence where the address is
    none, huggingface_hub is not installed, the set is not there or closed to this user, or there is no network.
    """
    match = _ADDRESS.fullmatch(text.strip().rstrip("/"))
    if match is None:
        raise DatasetError(f"--input {shown(text)}: write hf://datasets/OWNER/NAME, with @REVISION or /PATH behind it.")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise DatasetError(f"{text} needs huggingface_hub: `pip install 'singanimation[hub]'`.") from None
    options = {
        "repo_type": "dataset",
        "revision": match["revision"],
        "allow_patterns": [f"*{ending}" for suffix in _WANTED for ending in (suffix, suffix.upper())],
    }
    repo = match["repo"]
    try:
        try:
            folder = Path(snapshot_download(repo, local_files_only=True, **options))
        except LocalEntryNotFoundError:
            folder = Path(snapshot_download(repo, **options))
    except HFValidationError:
        raise DatasetError(f"--input {shown(text)}: {shown(repo)} is no name of a data set.") from None
    except GatedRepoError:
        raise DatasetError(
            f"{text} is open only to those who accepted its terms: do so on its page and log in with `hf auth login`."
        ) from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise DatasetError(f"{text}: the hub has no such data set or revision, or it is not open to you.") from None
    except Exception as error:  # networks fail in many ways
        reason = shown(str(error).partition("\n")[0]) or type(error).__name__
        raise DatasetError(
            f"{text} is not in the local cache and could not be fetched ({reason}); fetch it where there is a network, "
            f"`hf download --repo-type dataset {repo}`, or give a folder as --input."
        ) from None
    return _inside(folder, match["inner"], text)


def _inside(folder: Path, inner: str | None, text: str) -> Path:
    if inner is None:
        return folder
    place = folder / inner
    if ".." in Path(inner).parts or not place.exists():
        raise DatasetError(f"{text}: the data set holds no {shown(inner)}.")
    return place


def named(dataset: Dataset, text: str, place: Path) -> Dataset:
    """Return a data set that was read from a snapshot under its own name, with its card's licence where it has none."""
    match = _ADDRESS.fullmatch(text.strip().rstrip("/"))
    name = match["repo"].rpartition("/")[2] if match else dataset.name
    licence = dataset.licence or _licence(place)
    sources = [
        replace(source, dataset=name, licence=source.licence or licence)
        if source.dataset == dataset.name or not source.licence
        else source
        for source in dataset.sources
    ]
    warnings = [warning.replace(f"{dataset.name} has no", f"{name} has no", 1) for warning in dataset.warnings]
    return replace(dataset, name=name, sources=sources, warnings=warnings, licence=licence)


def _licence(place: Path) -> str | None:
    """Return the licence that the card of the snapshot names, in its YAML head."""
    for folder in (place, *place.parents):
        card = folder / "README.md"
        if is_regular(card):
            return _card_licence(read_text(card))
        if folder.parent.name == "snapshots":
            break
    return None


def _card_licence(text: str) -> str | None:
    import yaml

    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    try:
        content = yaml.safe_load(head[1]) if head else None
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    value = content.get("license") if isinstance(content, dict) else None
    value = value[0] if isinstance(value, list) and value else value
    return shown(value) if isinstance(value, str) and value.strip() else None

"""``augment export --to hf --push OWNER/NAME``: an export goes to the Hugging Face hub, on the user's own yes alone."""

import re
from collections.abc import Collection
from pathlib import Path

import pyarrow.parquet as pq

from singanimation.manifests.reading import part_paths
from singanimation.pipeline.datasets.licences import forbids_passing_on
from singanimation.pipeline.errors import OutputError, UsageError
from singanimation.pipeline.files.places import open_to_read
from singanimation.pipeline.files.untrusted import shown

_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
_UNKNOWN = "not known"


def check_push(repo: str, to: str, licences: Collection[str | None], agreed: bool) -> None:
    """Raise UsageError where ``repo`` is no OWNER/NAME, ``to`` not ``hf``, or a licence asks for a yes (``agreed``).

    ``licences`` are those of the pictures' sources; None is one that is not known.
    """
    if to != "hf":
        raise UsageError("--push sends what --to hf writes; leave one of both out.")
    if not _NAME.fullmatch(repo):
        raise UsageError(f"--push {shown(repo)}: write OWNER/NAME, a data set of yours on the Hugging Face hub.")
    closed = sorted({licence or _UNKNOWN for licence in licences if forbids_passing_on(licence)})
    if closed and not agreed:
        listed = "; ".join(shown(licence) for licence in closed)
        raise UsageError(
            f"--push {repo}: the pictures' licences do not allow passing them on, even to a private place ({listed}); "
            "where you have the right, say --may-redistribute."
        )


def licences_of(path: Path | str) -> set[str | None]:
    """Return the licences of a manifest's rows, with None where some row has none. Raises ManifestError."""
    found: set[str | None] = set()
    for part in part_paths(path):
        found.update(pq.read_table(open_to_read(part), columns=["licence"]).column(0).unique().to_pylist())
    return found


def check_hub(repo: str) -> None:
    """Raise UsageError where huggingface_hub is not installed or nobody is logged in: before anything is exported."""
    try:
        from huggingface_hub import get_token
    except ImportError:
        raise UsageError(f"--push {repo} needs huggingface_hub: pip install 'singanimation[hub]'.") from None
    if not get_token():
        raise UsageError(f"--push {repo}: nobody is logged in; do it with `hf auth login`, or set HF_TOKEN.")


def push(folder: Path, repo: str) -> str:
    """Send an export's folder to the data set ``repo``, which is made private where it is new; return its address.

    Files of an earlier push that this one lacks are removed there. Raises OutputError in one sentence: the folder then
    stays as it is.
    """
    from huggingface_hub import DatasetCard, HfApi

    DatasetCard.load(folder / "README.md")  # a card that the hub could not read would be refused after the upload
    api = HfApi()
    try:
        made = api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            repo_type="dataset",
            delete_patterns=["data/*.parquet"],
            commit_message="A data set grown by SinGANimation",
        )
    except Exception as error:  # networks and hubs fail in many ways
        reason = shown(str(error).strip().partition("\n")[0]) or type(error).__name__
        raise OutputError(
            f"--push {repo}: the hub did not take it ({reason}); the export is in {folder}, `hf upload {repo} {folder} "
            "--repo-type dataset` tries again."
        ) from None
    return str(made)

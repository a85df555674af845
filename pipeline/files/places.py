"""Where files lie: in folders, or in a bucket (``s3://``); one seam for both.

A place in a bucket is a ``UPath`` of universal_pathlib, which answers the methods of ``Path`` that this program uses;
it goes by ``Path`` in annotations. Listings are never cached: other runs write too. Writing goes through
``atomic_file``: made here, and sent whole by one put.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from singanimation.pipeline.errors import MachineError, UsageError
from singanimation.pipeline.files.untrusted import shown

# a Path has made s3:/ of s3://
_BUCKET = re.compile(r"s3:/{1,2}(?P<rest>[^/].*)", re.DOTALL)
_OTHERS = re.compile(r"(gs|gcs|az|abfs|abfss|wasbs?|adl|r2|b2|oss|hdfs|webhdfs|ftp|sftp|https?):/{1,2}[^/]")
_OPTIONS: dict[str, Any] = {"use_listings_cache": False}


def in_bucket(place: Path | str) -> bool:
    """Return whether a path, or the text of one, means a place in a bucket."""
    return _BUCKET.match(str(place)) is not None


def place(path: Path | str) -> Path:
    """Return the place that a path or its text means: a Path, or a UPath for ``s3://BUCKET/...``.

    Raises UsageError where the libraries for buckets are not installed, or for stores that are not supported.
    """
    match = _BUCKET.match(str(path))
    if match is None:
        if _OTHERS.match(str(path)):
            raise UsageError(f"{shown(path)}: folders and s3:// are what can be written to; this is neither.")
        return Path(path)
    try:
        import s3fs as s3fs
        from upath import UPath
    except ImportError:
        raise UsageError(f"{shown(path)} needs s3fs and universal_pathlib: pip install 'singanimation[s3]'.") from None
    return cast(Path, UPath(f"s3://{match['rest'].rstrip('/')}", **_OPTIONS))


def store_of(path: Path) -> tuple[Any, str]:
    """Return the fsspec file system of a place in a bucket, this process' own, and the place's name there.

    A UPath keeps one of its own, which a forked process (a DataLoader's worker) cannot use.
    """
    import fsspec

    return fsspec.url_to_fs(str(path), **_OPTIONS)


def open_to_read(path: Path) -> Path | BinaryIO:
    """Return what pyarrow reads a file by: the path of a folder's file, an open file of a bucket's.

    Without read-ahead: of a part often some small columns are wanted.
    """
    if not in_bucket(path):
        return path
    store, name = store_of(path)
    return store.open(name, "rb", cache_type="none")


def send(made: Path, target: Path) -> None:
    """Put the file ``made`` as ``target`` into its bucket: there whole, or not at all. Raises MachineError."""
    store, name = store_of(target)
    try:
        store.put_file(str(made), name)
    except Exception as error:
        raise MachineError(f"{target} could not be written ({why(error)}); nothing half-written was left.") from error


@contextmanager
def reached(path: Path) -> Iterator[None]:
    """Inside the block a bucket that does not answer is a MachineError. Around folders nothing changes.

    What is not there stays FileNotFoundError, and what pyarrow finds in a damaged file its own.
    """
    try:
        yield
    except Exception as error:
        if in_bucket(path) and is_stores_own(error):
            raise MachineError(f"{path} does not answer ({why(error)}).") from error
        raise


def check_bucket(path: Path) -> None:
    """Raise UsageError where the bucket of a place is not there, not open to this user, or does not answer."""
    store, name = store_of(path)
    bucket = name.split("/", 1)[0]
    try:
        store.info(bucket)  # `exists` says no where nothing answers
    except (FileNotFoundError, PermissionError):
        raise UsageError(f"{path}: there is no bucket {bucket}, or it is not open to you.") from None
    except Exception as error:
        raise UsageError(f"{path}: the bucket does not answer ({why(error)}).") from error


def why(error: BaseException) -> str:
    """Return in a few words what a store's library says."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(str(text).strip().partition("\n")[0]).rstrip(".")


def is_stores_own(error: BaseException) -> bool:
    """Return whether an error is a store's, or of the way to it: no fault of the program, nor of a file's content."""
    if isinstance(error, OSError):  # pyarrow's have no number
        told = error.errno is not None or isinstance(error, PermissionError | ConnectionError | TimeoutError)
        return told and not isinstance(error, FileNotFoundError)
    return type(error).__module__.partition(".")[0] in {"botocore", "aiobotocore", "aiohttp", "s3fs"}

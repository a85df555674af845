"""Which reader reads an input: by the data set's name, else by what lies in the folder."""

from importlib import import_module
from pathlib import Path

from singanimation.pipeline.datasets import bucket, hub
from singanimation.pipeline.datasets.dataset import Dataset, Reader
from singanimation.pipeline.datasets.files import any_picture, child, exists, files_ending, remembered_listings
from singanimation.pipeline.datasets.openface import with_openface
from singanimation.pipeline.datasets.readers.sample import read_sample
from singanimation.pipeline.datasets.splits_from import with_splits
from singanimation.pipeline.datasets.tables import TABLE_SUFFIXES
from singanimation.pipeline.errors import DatasetError
from singanimation.pipeline.files.places import in_bucket
from singanimation.pipeline.settings import Settings

SAMPLE = "sample"
_HOLDERS = (*TABLE_SUFFIXES, ".tar", ".tgz", ".gz")

# In the order in which a folder is tried: the surest marks first, the image folder takes what is left.
_READERS = (
    ("image", "READER"),
    ("manifest", "READER"),
    ("ganimation_set", "READER"),
    ("celeba", "READER"),
    ("affectnet", "READER"),
    ("yolo", "READER"),
    ("ferplus", "READER"),
    ("expw", "READER"),
    ("raf_db", "READER"),
    ("raf_db", "COMPOUND_READER"),
    ("fer2013", "READER"),
    ("ck_plus", "READER"),
    ("file_names", "READER"),
    ("webdataset", "READER"),
    ("index", "READER"),
    ("image_folder", "READER"),
)


def readers() -> tuple[Reader, ...]:
    """Return all readers in the order in which an input is tried."""
    return tuple(
        getattr(import_module(f"singanimation.pipeline.datasets.readers.{name}"), which) for name, which in _READERS
    )


def open_dataset(settings: Settings) -> Dataset:
    """Find and read ``settings.input``; named sets lie under ``settings.data_root``. Raises DatasetError.

    With ``--aus openface`` the sources carry the action units of OpenFace's files; see ``with_openface``.
    """
    dataset = open_input(settings.input, settings.data_root, settings.splits_from)
    return with_openface(dataset) if settings.aus == "openface" else dataset


def open_input(text: str, data_root: Path = Path("data"), splits_from: str | None = None) -> Dataset:
    """Read an input: ``sample``, a set's name, a folder, a picture, an index, ``hf://datasets/OWNER/NAME``, ``s3://...``.

    A name is looked for under ``data_root`` first, then as a path; ``splits_from`` is the option of that name.
    Raises DatasetError where nothing is there or no layout fits, with the layouts tried and what each lacked.
    """
    with remembered_listings():
        return with_splits(_open(text, data_root), splits_from)


def _open(text: str, data_root: Path) -> Dataset:
    if text == SAMPLE:
        return read_sample()
    if not text.strip():
        raise DatasetError(f"--input is empty; name a data set, a folder, a picture, an index, or `{SAMPLE}`.")
    if text.startswith(hub.PREFIX):
        place = hub.fetch(text)
        return hub.named(_read_by_content(place), text, place)
    if in_bucket(text):
        return _read_by_content(bucket.fetch(text))
    path = Path(text).expanduser()
    named = {reader.name: reader for reader in readers() if reader.named}
    if text.lower() in named:
        reader = named[text.lower()]
        places = [data_root.expanduser() / folder for folder in (reader.name, *reader.also_in)]
        place = next((found for place in places if (found := child(place.parent, place.name)) is not None), None)
        if place is not None:
            return _read_named(reader, place)
        if not exists(path):
            looked = " and ".join(str(place.absolute()) for place in places)
            raise DatasetError(
                f"{text} was looked for at {looked} and is not there; put it there, name another "
                "--data-root, or give its folder itself as --input."
            )
    if not exists(path):
        names = ", ".join(sorted(named))
        raise DatasetError(f"--input {text}: no such file or folder, and no data set's name ({SAMPLE}, {names}).")
    return _read_by_content(path)


def _read_named(reader: Reader, place: Path) -> Dataset:
    """Read a set that the user named, also where its copy lacks the official marks but has labels."""
    _check_folder(place)
    lack = reader.lacks(place)
    dataset = reader.read(place)
    if lack is not None and not dataset.labelled:
        raise DatasetError(f"{place} is not laid out as {reader.name}: it {lack}.")
    return dataset


def _read_by_content(path: Path) -> Dataset:
    _check_folder(path)
    if path.suffix.lower() in (".zip", ".rar", ".7z"):
        raise DatasetError(f"{path} is an archive: unpack it, and give the folder as --input.")
    lacks: list[str] = []
    for reader in readers():
        lack = reader.lacks(path)
        if lack is None:
            return reader.read(path)
        lacks.append(f"{reader.name} ({lack})")
    raise DatasetError(f"{path} has no layout that we know; tried: {', '.join(lacks)}.")


def _check_folder(path: Path) -> None:
    """Raise DatasetError for folders in which there is nothing to try."""
    if not path.is_dir():
        return
    try:
        empty = not any(path.iterdir())
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error
    if empty:
        raise DatasetError(f"{path} is an empty folder; put pictures into it or name another --input.")
    if not any_picture(path) and not files_ending(path, _HOLDERS):
        raise DatasetError(f"{path} holds no picture, and no table that could hold or name any.")

"""Where py-feat and its weights lie, found without importing it (which takes seconds and changes the process)."""

import importlib.util
from pathlib import Path

from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.system import is_windows
from singanimation.pipeline.weights import find

ON_WINDOWS = "not on Windows: the process that py-feat runs in speaks through pipes that are POSIX's."
NOT_INSTALLED = 'py-feat is not installed; `pip install "py-feat>=2.1.5"` does it.'


def package_folder() -> Path | None:
    """Return where py-feat 2 is installed, None where it is not."""
    try:
        found = importlib.util.find_spec("feat")
    except (ImportError, ValueError):
        return None
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    return next((place for place in places if (place / "multitask" / "inference.py").is_file()), None)


def weights_file() -> Path:
    """Return the weights of its multitask network, wherever the registry finds them.

    Raises WeightsError naming the file and where to put it, or for a file that py-feat would have to unpickle.
    """
    path = find("pyfeat")
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path} is no .safetensors file; py-feat would unpickle it, which may run foreign code.")
    return path


def detector_file(package: Path) -> Path | None:
    """Return the weights of py-feat's face detector (RetinaFace) as py-feat itself keeps them, None without."""
    places = (package / "resources").glob("models--py-feat--retinaface_r34/snapshots/*/*.safetensors")
    return next((path for path in sorted(places) if path.is_file()), None)


def unusable() -> str | None:
    """Return in one sentence why py-feat cannot be used here and what to do, None where it can. Takes milliseconds."""
    if is_windows():
        return ON_WINDOWS
    if package_folder() is None:
        return NOT_INSTALLED
    try:
        weights_file()
    except WeightsError as error:
        return str(error)
    return None


def check_estimator(aus: str) -> None:
    """Raise UsageError for ``--aus pyfeat`` where it cannot be used: at once, before anything is loaded."""
    why = unusable() if aus == "pyfeat" else None
    if why is not None:
        raise UsageError(f"--aus pyfeat: {why}")

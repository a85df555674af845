"""Where matplotlib is met: an empty figure, and its file. The same figure gives the same bytes, as PNG and as PDF."""

import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf")
NEEDED = "pip install 'singanimation[figures]'"


def can_draw() -> bool:
    """Return whether matplotlib, an extra, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def make_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    """Return an empty figure of ``width`` x ``height`` centimetres. Raises UsageError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"Figures need matplotlib: {NEEDED}.") from None
    return Figure(figsize=(width / 2.54, height / 2.54), layout=layout)


def check_figure_path(path: Path) -> None:
    """Raise UsageError for a file whose suffix is none that figures have."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--output {path}: a figure is {' or '.join(SUFFIXES)}.")


def write_figure(path: Path, figure: "Figure", dpi: int = 150) -> Path:
    """Write ``figure`` as what the suffix of ``path`` says, .png or .pdf, and return ``path``.

    Neither the time nor a version is in it. Raises UsageError for another suffix, MachineError for the disk.
    """
    check_figure_path(path)
    kind = path.suffix.lower()[1:]
    out = io.BytesIO()
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    figure.savefig(out, format=kind, dpi=dpi, metadata=metadata)
    with atomic_file(path) as file:
        file.write(out.getvalue())
    return path

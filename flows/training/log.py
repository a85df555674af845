"""The losses of a training as it goes: CSV, a chart (PNG) where matplotlib is installed, TensorBoard likewise."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.flows.figures.losses import losses_figure
from singanimation.flows.figures.page import can_draw, write_figure
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file, disk_fault

if TYPE_CHECKING:
    from singanimation.stages.expansion.training.loop import Progress

_DPI = 120


class TrainingLog:
    """Appends to ``output`` with the suffix .csv; rows after ``step`` (where a training resumes) are dropped.

    Raises UsageError where a table of that name is no log, MachineError for the disk.
    """

    def __init__(self, output: Path, step: int) -> None:
        self.path = output.with_suffix(".csv")
        self.chart = output.with_name(output.stem + ".losses.png")
        # read even where nothing of it is kept: a table that is no log is not written over
        self._rows = _rows_up_to(self.path, step) if self.path.is_file() else []
        self._write("w", self._rows)
        self._board = _tensorboard(output.with_name(output.stem + ".tensorboard"), step)

    def add(self, progress: "Progress") -> None:
        """Log one step's running means."""
        row = {"step": progress.step, "seconds": round(progress.seconds, 1)} | progress.losses
        new_column = bool(self._rows) and set(row) != set(self._rows[-1])
        self._rows.append({name: str(value) for name, value in row.items()})
        # a loss that sets in later (the adversarial one) needs a new head
        self._write("w" if new_column or len(self._rows) == 1 else "a", self._rows if new_column else self._rows[-1:])
        if self._board is not None:
            for name, value in progress.losses.items():
                self._board.add_scalar(name, value, progress.step)

    def draw(self) -> None:
        """Write the chart of the losses, where matplotlib is installed. Raises MachineError for the disk."""
        if self._rows and can_draw():
            write_figure(self.chart, losses_figure(self._rows), _DPI)

    def _write(self, mode: str, rows: list[dict[str, str]]) -> None:
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        if mode == "w" and names:
            writer.writeheader()
        writer.writerows(rows)
        if mode == "w":
            with atomic_file(self.path) as file:
                file.write(text.getvalue().encode())
            return
        try:
            with self.path.open("a", newline="") as log:
                log.write(text.getvalue())
        except OSError as error:
            raise disk_fault(self.path, error) from error


def _rows_up_to(path: Path, step: int) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        try:
            # a kill while a row was written leaves it short: its values are None
            return [
                {name: value for name, value in row.items() if value}
                for row in csv.DictReader(file)
                if int(row["step"]) <= step and None not in row.values()
            ]
        except (KeyError, TypeError, ValueError, csv.Error):
            raise UsageError(f"{path} is no log of a training; move it away, or give another --output.") from None


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=step or None)

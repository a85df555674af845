"""The losses of a training as it goes: CSV, a chart (PNG), and TensorBoard where it is installed."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.atomic import atomic_file, disk_fault

if TYPE_CHECKING:
    from singanimation.stages.expansion.training.loop import Progress

_PANEL = (380, 170)
_COLUMNS = 3
_LEFT_OUT = ("step", "seconds")


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
        """Write the chart: a panel per loss, over the steps."""
        if self._rows:
            done, data = cv2.imencode(".png", _chart(self._rows))
            if done:
                with atomic_file(self.chart) as file:
                    file.write(data.tobytes())

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


def _chart(rows: list[dict[str, str]]) -> np.ndarray:
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in _LEFT_OUT]
    panels = [_panel(name, [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]) for name in names]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % _COLUMNS)
    return np.vstack([np.hstack(panels[place : place + _COLUMNS]) for place in range(0, len(panels), _COLUMNS)])


def _panel(name: str, points: list[tuple[int, float]]) -> np.ndarray:
    width, height = _PANEL
    panel = np.full((height, width, 3), 255, np.uint8)
    steps, values = (np.array(column, float) for column in zip(*points, strict=True))
    values = np.where(np.isfinite(values), values, 0)
    low, high = values.min(), values.max()
    x = 10 + (width - 20) * (steps - steps[0]) / max(steps[-1] - steps[0], 1)
    y = height - 12 - (height - 45) * (values - low) / max(high - low, 1e-12)
    line = np.stack([x, y], 1).round().astype(np.int32)
    cv2.polylines(panel, [line[:, None]], False, (160, 80, 20), 1, cv2.LINE_AA)
    text = f"{name}: {values[-1]:.4g} at {int(steps[-1])} ({low:.4g} to {high:.4g})"
    cv2.putText(panel, text, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.rectangle(panel, (0, 0), (width - 1, height - 1), (210, 210, 210), 1)
    return panel

"""The steps of a training as they are kept: logged, written, resumed from, and ended by Ctrl-C."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singanimation.flows.interrupts import hold_interrupt
from singanimation.flows.training.checkpoint import load_checkpoint, save_checkpoint
from singanimation.flows.training.log import TrainingLog

if TYPE_CHECKING:
    from singanimation.stages.expansion.training.loop import Progress

LOG_EVERY = 100


class KeptTraining:
    """One training's checkpoint and log beside ``output``; ``same`` is what a training that resumes it must share.

    ``state`` is what an earlier one left, None where there is none or ``resume`` is off. Raises WeightsError for
    what is no checkpoint, UsageError for another training's.
    """

    def __init__(self, output: Path, same: Mapping[str, str], *, resume: bool, minutes: float) -> None:
        self._path, self._same, self._minutes = output.with_suffix(".checkpoint.pt"), same, minutes
        self.state = load_checkpoint(self._path, same) if resume and self._path.is_file() else None
        self._log = TrainingLog(output, int(self.state["step"]) if self.state else 0)

    def steps(
        self,
        steps: "Iterable[Progress]",
        write: "Callable[[Progress], None]",
        more: Mapping[str, Any] | None = None,
    ) -> "Iterator[Progress]":
        """Yield each step; ``write`` it every ``minutes`` and at the end, and then, or at Ctrl-C, its checkpoint.

        ``more`` stands in the checkpoint besides. Raises KeyboardInterrupt when Ctrl-C came, MachineError for the disk.
        """
        saved = time.monotonic()
        with hold_interrupt() as interrupted:
            for progress in steps:
                yield progress
                last = progress.step == progress.steps
                if progress.step % LOG_EVERY == 0 or last:
                    self._log.add(progress)
                due = last or time.monotonic() - saved > 60 * self._minutes
                if due:
                    write(progress)
                    self._log.draw()
                if due or interrupted():  # last, so that a training counts as done only when all of it is there
                    save_checkpoint(self._path, progress.state | dict(more or {}), self._same)
                    saved = time.monotonic()
                if interrupted():
                    raise KeyboardInterrupt

"""Prefect's part in a run: a thread in which the flow runs on the open job, and for which nothing waits but the end.

The flow's tasks do the work once they are there; a server that is slow, away, or killed in mid-run costs the run's
record in Prefect, which is said, and none of the work.
"""

import logging
import os
import threading
from typing import Any

from singanimation.flows.job.job import Job
from singanimation.flows.prefect_server.server import connected
from singanimation.pipeline.errors import SinganimationError

LOGGER = logging.getLogger("singanimation.job")

LAST_SECONDS = 60.0
"""How long the end of a run waits for Prefect: a server that has just been started may take that long."""

INTERRUPTED_SECONDS = 5.0

EVENTS_SECONDS = 10.0
"""How long it waits for the tasks' states to be sent: hundreds of tasks that end at once take a minute."""


class Recording:
    """The flow run of one job. ``flow_run`` is the id of one that Prefect already has, None for a new one."""

    def __init__(self, job: Job, flow_run: str | None = None) -> None:
        self._job, self._flow_run = job, flow_run
        self._thread = threading.Thread(target=self._record, name="prefect", daemon=True)
        self._trouble: str | None = None
        self._failed = True

    def start(self) -> None:
        """Start the server, where the user has none, and the flow; return at once."""
        if self._job.server is not None:
            self._job.server.start()
        self._thread.start()

    def finish(self, seconds: float = LAST_SECONDS) -> bool:
        """Wait so long for the flow's end; say whether nothing of Prefect's is at work any more.

        After trouble something is: what it could not send it tries again at the process' end, seconds a piece.
        """
        self._thread.join(seconds)
        if self._thread.is_alive() and self._trouble is None:
            self._tell("does not answer")
        return not self._thread.is_alive() and not self._failed

    def _record(self) -> None:
        try:
            with connected(self._job.server):
                from singanimation.flows.augment import run_job
                from singanimation.flows.prefect_server.forks import let_forked_children_end

                let_forked_children_end()
                run_job(self._job, self._flow_run)
                self._failed = not _send_events()  # while the server is there
        except SinganimationError as error:
            self._tell(f"is not there ({error})")
        except BaseException as error:  # whatever a server, the way to it and Prefect's own threads can do
            self._tell(f"failed ({type(error).__name__}: {error})")

    def _tell(self, what: str) -> None:
        if self._trouble is not None or self._job.stopped is not None:
            return
        where = os.environ.get("PREFECT_API_URL", "of this run") if self._job.server is None else "of this run"
        self._trouble = f"The Prefect server {where} {' '.join(what.split())}: no work is lost, but its record is."
        self._job.reporter.say(f"warning: {self._trouble}")
        self._job.note(self._trouble)


def _send_events() -> bool:
    """Wait a while until what the tasks became is told, which Prefect does later, one by one; say whether all is."""
    from prefect.events.worker import EventsWorker

    waited: Any = EventsWorker.drain_all(timeout=EVENTS_SECONDS, at_exit=False)  # futures that are done, and others
    if waited[1]:
        LOGGER.info("Prefect's record: not every task's end is in it; the run's own is.")
    return not waited[1]

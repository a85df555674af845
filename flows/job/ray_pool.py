"""Ray actors in place of worker processes: ``--runner ray``, on one machine or on a cluster.

An actor has a GPU of its own, or a core where there are none, and loads its models once. It is handed one source at a
time with the picture's bytes, and gives the rows back: nodes need this package and no shared folder, and the part is
written where the run is, by its one writer. A node that is lost loses the sources that its actors are at; they are
tried again on others.

Ray alone, without prefect-ray: with that, every node talks to Prefect's server or starts one, and a task takes 135 ms.
Here Prefect's tasks hand sources to actors as they do to processes.
"""

import logging
import queue
import threading
import time
from typing import Any

from singanimation.flows.job.ray_actor import About, Made, actor_class, carried
from singanimation.flows.job.ray_cluster import connect, own_signals, share_of
from singanimation.flows.models import Fingerprint
from singanimation.flows.source.work import Outcome, SourceJob, give_up, keep_rows
from singanimation.pipeline.errors import MachineError, PictureError, SinganimationError
from singanimation.pipeline.settings import Settings

LOGGER = logging.getLogger("singanimation.ray")

LOST_SECONDS = 600.0
"""How long a run waits where no actor is left or one has yet to come: nodes may be on their way."""

_LOOK_SECONDS = 0.2
_LOADING_TRIES = 2


class RayPool:
    """Actors for one run; the methods of ``WorkerPool``. Thread-safe: each thread in ``augment`` keeps one busy."""

    def __init__(self, settings: Settings, sources: int, loader: str) -> None:
        """Nothing is connected to before ``load``: a run without work needs no cluster."""
        self.workers = max(min(settings.workers or 1, sources), 1)
        self._most, self._settings, self._loader = max(sources, 1), settings, loader
        self._ray: Any = None
        self._gpus = 0.0
        self._idle: queue.Queue[Any] = queue.Queue()
        self._changing, self._retrying = threading.Lock(), threading.Lock()
        self._starting: set[Any] = set()
        self._ready: set[Any] = set()
        self._about: About | None = None
        self._trouble: SinganimationError | None = None
        self._closed = False

    def at_most(self, workers: int) -> None:
        """Have no more actors than that; only before any is started."""
        self._most = min(workers, self._most)
        self.workers = min(workers, self.workers)

    def load(self) -> None:
        """Connect to the cluster, or start Ray on this machine, and let every actor load the models; does not wait.

        Raises UsageError where the cluster does not answer, or has no GPU where one is asked for.
        """
        if self._ray is None:
            self._ray = connect(self._settings.address)
            actors, self._gpus = share_of(self._ray.cluster_resources(), self._settings)
            self.workers = max(min(actors, self._most), 1)
        for _ in range(self.workers - len(self._starting) - len(self._ready)):
            self._add(_LOADING_TRIES)

    def fingerprint(self) -> Fingerprint:
        """Wait for the models and say what they are. Raises WeightsError and its kin; MachineError for dead actors."""
        self.load()
        self._idle.put(self._take())
        assert self._about is not None  # said by the first that was ready
        return self._about.models

    def augment(self, job: SourceJob) -> Outcome:
        """Work on one source in some actor, and write its part. A source whose actor dies is tried once more."""
        try:
            made = self._make(job)
            return keep_rows(job, made.rows, made.outcome)
        except PictureError as error:  # the file cannot be read here: a row says so
            return give_up(job, error.reason, str(error))
        except MachineError as error:
            return Outcome(job.identity.source.source_id, lost=str(error))

    def close(self, *, now: bool = False) -> None:
        """End the actors, and Ray where it was started for this run; ``now`` changes nothing: rows are kept here."""
        with self._changing:
            if self._closed:
                return
            self._closed = True
            actors = [*self._starting, *self._ready]
        if self._ray is None:
            return
        for actor in actors:
            self._ray.kill(actor)
        with own_signals():
            self._ray.shutdown()

    def _make(self, job: SourceJob) -> Made:
        """Return what an actor made of a source. Raises PictureError for its file, MachineError without actors."""
        sent = carried(job)
        made = self._try(sent)
        if made is None:
            with self._retrying:  # one at a time: a source that kills its actor takes no second one with it
                made = self._try(sent)
        if made is None:
            why = "interrupted" if self._closed else "its actor died twice (killed, out of memory, or its node lost?)"
            fault = None if self._closed else "worker_died"
            made = Made([], Outcome(job.identity.source.source_id, lost=why, fault=fault))
        return made

    def _try(self, job: SourceJob) -> Made | None:
        """Return what an actor made of the source, None where it died of it, or with its node."""
        actor = self._take()
        try:
            made = self._ray.get(actor.work.remote(job))
        except self._ray.exceptions.RayError:
            with self._changing:
                self._ready.discard(actor)
            self._add(1)
            return None
        self._idle.put(actor)
        return made

    def _take(self) -> Any:
        """Wait for an actor with nothing to do. Raises what kept all from loading; MachineError where none comes."""
        alone_since = time.monotonic()
        while not self._closed and time.monotonic() - alone_since < LOST_SECONDS:
            try:
                return self._idle.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                pass
            if self._ready:
                alone_since = time.monotonic()  # busy ones come back
            elif self._trouble is not None:
                raise self._trouble
        if self._closed:
            raise MachineError("interrupted")
        minutes = f"{LOST_SECONDS / 60:.0f} min"
        raise MachineError(f"No actor of the Ray cluster was ready within {minutes}: are its cores or GPUs taken?")

    def _add(self, tries: int) -> None:
        """Start an actor; a thread waits until its models are loaded. So many that die meanwhile are replaced."""
        with self._changing:
            if self._closed:
                return
            given = self._settings.model_copy(update={"device": "cuda" if self._gpus else "cpu"})
            actor = actor_class(self._ray, self._gpus).remote(given, self._loader)
            self._starting.add(actor)
        threading.Thread(target=self._wait_for, args=(actor, tries), name="ray", daemon=True).start()

    def _wait_for(self, actor: Any, tries: int) -> None:
        try:
            about = self._ray.get(actor.about.remote())
        except self._ray.exceptions.RayTaskError as error:
            self._not_used(actor, _own(error.cause))
        except self._ray.exceptions.RayError:
            self._not_used(actor, MachineError("An actor died while it loaded the models (out of memory?)."))
            if tries > 1:
                self._add(tries - 1)
        else:
            self._look_at(actor, about)

    def _look_at(self, actor: Any, about: About) -> None:
        """Take an actor whose rows will be those of the first one, and no other."""
        with self._changing:
            self._about = self._about or about
            differs = about.differs_in(self._about)
            if not differs:
                self._starting.discard(actor)
                self._ready.add(actor)
        if not differs:
            self._idle.put(actor)
            return
        words = f"node {about.node} is not used: {differs} on {self._about.node}, so that its rows would be others"
        self._not_used(actor, MachineError(words))

    def _not_used(self, actor: Any, trouble: SinganimationError) -> None:
        with self._changing:
            self._starting.discard(actor)
            if not self._closed:
                LOGGER.warning("Ray: %s", trouble)
                if not self._starting:
                    self._trouble = trouble
                self._ray.kill(actor)


def _own(error: BaseException) -> SinganimationError:
    """Return what an actor's models failed with, as our kind of error."""
    return error if isinstance(error, SinganimationError) else MachineError(f"{type(error).__name__}: {error}")

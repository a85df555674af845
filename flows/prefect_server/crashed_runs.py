"""Flow runs that Prefect still takes for running because their process was killed: told apart, and marked crashed."""

import os
import socket
from collections.abc import Iterable

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

from singanimation.pipeline.system import process_began, process_runs

FLOW = "augment"
_TAG = "process:"
_SAME_SECONDS = 10.0  # the clock may have been set meanwhile


def process_tag() -> str:
    """Return the tag by which a later run finds out whether this process is still there."""
    return f"{_here()}{os.getpid()}:{process_began(os.getpid()) or 0:.0f}"


def mark_crashed() -> int:
    """Mark the flow runs of processes that are gone as crashed; return how many.

    Only runs of this host that carry a process tag are looked at.
    """
    open_states = [StateType.RUNNING, StateType.PENDING]
    unfinished = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=open_states)))
    ours = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    with get_client(sync_client=True) as client:
        gone = [run for run in client.read_flow_runs(flow_filter=ours, flow_run_filter=unfinished) if is_gone(run.tags)]
        for run in gone:
            client.set_flow_run_state(run.id, Crashed(message="Its process was killed."), force=True)
    return len(gone)


def is_gone(tags: Iterable[str]) -> bool:
    """Say whether the process that a flow run's tags name was one of this host, and is gone."""
    ours = [tag.removeprefix(_here()) for tag in tags if tag.startswith(_here())]
    return any(not _alive(*tag.split(":")) for tag in ours)


def _here() -> str:
    return f"{_TAG}{socket.gethostname()}:"


def _alive(pid: str, began: str = "0") -> bool:
    """Say whether a process runs that has this number and began then: numbers are given again, after a restart too."""
    if not process_runs(int(pid)):
        return False
    now = process_began(int(pid))
    return now is None or float(began) == 0 or abs(now - float(began)) < _SAME_SECONDS

"""Flow runs that Prefect still takes for running because their process was killed: told apart, and marked crashed."""

import os
import socket

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from singanimation.pipeline.system import process_runs

FLOW = "augment"
_TAG = "process:"


def process_tag() -> str:
    """Return the tag by which a later run finds out whether this process is still there."""
    return f"{_TAG}{socket.gethostname()}:{os.getpid()}"


def mark_crashed() -> int:
    """Mark the flow runs of processes that are gone as crashed; return how many.

    Only runs of this host that carry a process tag are looked at.
    """
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    ours = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    with get_client(sync_client=True) as client:
        gone = [run for run in client.read_flow_runs(flow_filter=ours, flow_run_filter=running) if _is_gone(run)]
        for run in gone:
            client.set_flow_run_state(run.id, Crashed(message="Its process was killed."), force=True)
    return len(gone)


def _is_gone(run: FlowRun) -> bool:
    place = f"{_TAG}{socket.gethostname()}:"
    pids = [int(tag.removeprefix(place)) for tag in run.tags if tag.startswith(place)]
    return any(not process_runs(pid) for pid in pids)

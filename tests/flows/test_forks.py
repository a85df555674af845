"""A process forked after Prefect's services were at work ends with exit code 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import multiprocessing
from prefect._internal.concurrency.services import QueueService
from singanimation.flows.prefect_server.forks import let_forked_children_end

class Quiet(QueueService[int]):
    async def _handle(self, item):
        pass

def child():
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    return process.exitcode

Quiet.instance().send(1)
before = child()
let_forked_children_end()
let_forked_children_end()
print(before, child())
Quiet.drain_all()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_ends_well_beside_prefects_services() -> None:
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.stdout.split() == ["1", "0"]

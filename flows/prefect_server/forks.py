"""Processes that are forked after a flow has run (a DataLoader's workers) end with exit code 0.

Prefect (3.8.8) resets its queue services in such a child and forgets the event that says they are done; the function
that it has registered for the interpreter's end asserts that event, and the child ends with exit code 1, without a
word. PyTorch then says of a worker whose work is done that it "exited unexpectedly".
"""

import asyncio
import functools
import os


@functools.cache
def let_forked_children_end() -> None:
    """Have the services of Prefect count as done in every process that is forked from now on. Once a process."""
    from prefect._internal.concurrency import services

    def done() -> None:
        for service in list(getattr(services, "_active_services", ())):
            event = asyncio.Event()
            event.set()
            service._done_event = event

    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=done)  # after Prefect's own, which was registered when it was imported

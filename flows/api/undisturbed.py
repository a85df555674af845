"""A library leaves its user's process as it was: threads and random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let torch and OpenCV use one thread inside the block, and put threads and torch's generators back afterwards.

    With one thread the same bytes come out everywhere, and OpenCV starts no threads in a process that is forked
    later. Networks that are built draw their first weights, which would move a generator that the user has seeded.
    """
    import cv2
    import torch

    before, before_cv2 = torch.get_num_threads(), cv2.getNumThreads()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(before_cv2)

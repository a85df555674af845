"""Every test runs torch on one thread: small tensors gain nothing from more, and a busy machine loses much."""

import logging
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_unconfigure() -> None:
    """Silence what Prefect logs when the interpreter ends: pytest has closed by then what it would be written to."""
    logging.disable(logging.INFO)

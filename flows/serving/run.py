"""The process of one served run: ``python -m singanimation.flows.serving.run``, told on stdin what to do.

It prints the run's summary as JSON, or ``{"held": sentence}`` where another run holds the output, and ends with the
run's exit code; when its stdin closes (the service is gone), it stops as for SIGTERM.
"""

import json
import os
import sys
import threading
from typing import Any

from singanimation.flows import interrupts

_STDIN = 0


def main() -> None:
    """Run what stdin asks for."""
    interrupts.install()
    told = json.loads(_line())
    threading.Thread(target=_end_with_service, daemon=True).start()
    sys.exit(interrupts.run(lambda: _run(told)))


def _run(told: dict[str, Any]) -> int:
    from singanimation.flows.cli import complain, print_json
    from singanimation.flows.commands.augment import run_main_job
    from singanimation.pipeline.errors import OutputHeldError, SinganimationError
    from singanimation.pipeline.settings import make_settings

    try:
        settings = make_settings(**told["options"])
        return int(run_main_job(settings, quiet=True, as_json=True, loader=told["loader"], flow_run=told["flow_run"]))
    except OutputHeldError as error:
        print_json({"held": str(error)})
        return int(error.exit_code)
    except SinganimationError as error:
        return complain(str(error), error.exit_code)


def _line() -> bytes:
    """Return the first line of stdin, read without Python's buffer: the thread below would hold its lock at the end."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(_STDIN, 1)):
        line += more
    return line


def _end_with_service() -> None:
    while os.read(_STDIN, 1024):
        pass
    interrupts.send()


if __name__ == "__main__":
    main()

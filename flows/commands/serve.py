"""`augment serve`: the main job on a schedule, until SIGTERM or Ctrl-C."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from singanimation.flows.interrupts import SIGNALS
from singanimation.flows.job.plan import plan_run
from singanimation.flows.options import check_input, with_settings
from singanimation.flows.prefect_server.server import prepare_environment, user_has_server
from singanimation.flows.serving.process import RunProcess, ServedJob
from singanimation.flows.serving.report import Teller
from singanimation.flows.serving.schedule import Every, Schedule, read_cron, read_zone
from singanimation.flows.serving.service import Clock, Requests, Service
from singanimation.pipeline.digests import digest
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.files.places import in_bucket
from singanimation.pipeline.runs import hold_lock, make_folder
from singanimation.pipeline.settings import Settings, make_settings

LOG = "serve.log"
_MEMORY, _LOCK = "serve.json", ".serve.lock"

app = typer.Typer(add_completion=False)


@app.command()
@with_settings
def serve(
    options: dict[str, Any],
    cron: Annotated[str | None, typer.Option(help='When, such as "0 2 * * *" (nightly at two).')] = None,
    every: Annotated[float | None, typer.Option(min=1, help="Instead of --cron: every so many seconds.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="The zone of --cron, such as Europe/Berlin (default: the machine's own).")
    ] = None,
    on_failure: Annotated[
        str | None, typer.Option(help="A command line to run after a failed run, its JSON on stdin.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The deployment's name in a Prefect server of yours; default: the input's.")
    ] = None,
) -> None:
    """Augment on a schedule: each run does what is still to do, so that new pictures are taken up.

    One dated line a run goes to the terminal and to runs/serve.log of the output. SIGTERM ends it with exit code 0,
    Ctrl-C with 130; the run in hand is stopped in order. 2: wrong usage or input, nothing started.
    """
    if (cron is None) == (every is None):
        raise UsageError('Say when: --cron "0 2 * * *", or --every SECONDS.')
    check_input(options)
    zone = read_zone(timezone)
    schedule = read_cron(cron, zone) if cron is not None else Every(every or 1.0, datetime.now(UTC), zone)
    job = ServedJob(make_settings(**options))
    serve_job(job, schedule, on_failure=on_failure, name=name)


def serve_job(job: ServedJob, schedule: Schedule, *, on_failure: str | None = None, name: str | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises UsageError and its kin before anything is started."""
    plan_run(job.settings)  # the input, looked at as every run will
    output = job.settings.output_folder.absolute()
    if in_bucket(output):
        raise UsageError(
            f"{output}: `augment serve` keeps its lock and log in a folder; run `augment` by cron or systemd."
        )
    make_folder(output / "runs")
    process, clock = RunProcess(job), Clock()
    teller = Teller(output / "runs" / LOG, schedule.zone)
    with ExitStack() as stack:
        taken = f"{output} is already served by another process; end that one, or choose another --output."
        stack.enter_context(hold_lock(output / "runs" / _LOCK, output, lambda: taken))
        prepare_environment()
        requests = _requests(job.settings, schedule, name, teller, clock) if user_has_server() else None
        stack.enter_context(_stopped_by_signals(process, clock))
        print(f"Serving {job.settings.input} -> {output}; log: {output / 'runs' / LOG}", file=sys.stderr, flush=True)
        Service(schedule, process, teller, output / "runs" / _MEMORY, clock, on_failure, requests).serve()


def service_name(settings: Settings) -> str:
    """Return the default name: the input's, and a digest of where input and output lie."""
    source = Path(os.path.abspath(Path(settings.input).expanduser()))  # noqa: PTH100 - of links, the link's
    return f"{source.name or 'input'}-{_place(settings)}"


def _place(settings: Settings) -> str:
    source = os.path.abspath(Path(settings.input).expanduser())  # noqa: PTH100
    return digest(source, settings.output_folder.absolute(), length=8)


def _requests(settings: Settings, schedule: Schedule, name: str | None, teller: Teller, clock: Clock) -> Requests:
    from singanimation.flows.serving.deployment import Deployment

    options = settings.model_dump(mode="json", exclude_none=True)

    def say(text: str) -> None:
        teller.say(text, now=clock.now())

    return Deployment(name or service_name(settings), _place(settings), options, schedule.describe(), say)


@contextmanager
def _stopped_by_signals(process: RunProcess, clock: Clock) -> Iterator[None]:
    """End the waiting and the run in hand on SIGTERM and Ctrl-C; the latter is a KeyboardInterrupt afterwards."""
    came: list[int] = []

    def stop(number: int, frame: Any) -> None:
        came.append(number)
        clock.stop()
        process.stop()

    # Ctrl-C stays ignored where the shell ignores it for background jobs
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in came:
        raise KeyboardInterrupt

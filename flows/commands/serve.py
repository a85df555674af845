"""`augment serve`: the same flow on a schedule, until SIGTERM or Ctrl-C."""

import asyncio
import os
import sys
from typing import Annotated, Any

import typer

from singanimation.flows.job.pool import LOADER
from singanimation.flows.options import check_input, with_settings
from singanimation.flows.prefect_server.server import Server, connected, prepare_environment, user_has_server
from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.settings import Settings, make_settings
from singanimation.pipeline.system import on_terminate

app = typer.Typer(add_completion=False)


@app.command()
@with_settings
def serve(
    options: dict[str, Any],
    cron: Annotated[str | None, typer.Option(help='When, such as "0 2 * * *" (nightly at two).')] = None,
    every: Annotated[float | None, typer.Option(min=1, help="Instead of --cron: every so many seconds.")] = None,
    name: Annotated[str, typer.Option(help="The deployment's name in Prefect.")] = "augment",
) -> None:
    """Augment on a schedule: each run does what is still to do, so that new pictures are taken up."""
    if (cron is None) == (every is None):
        raise UsageError('Say when: --cron "0 2 * * *", or --every SECONDS.')
    check_input(options)
    settings = make_settings(**options)
    if cron is not None:
        _check_cron(cron)
    serve_flow(settings, cron=cron, every=every, name=name)


def serve_flow(settings: Settings, *, cron: str | None, every: float | None, name: str, loader: str = LOADER) -> None:
    """Serve the flow until SIGTERM or Ctrl-C; a Prefect server of the user's own (PREFECT_API_URL) comes first."""
    prepare_environment()
    server = None if user_has_server() else Server(scheduling=True)
    options = settings.model_dump(mode="json", exclude_none=True) | {"output": str(settings.output_folder.absolute())}
    try:
        if server is not None:
            server.start()
        with connected(server):
            if server is not None:  # scheduled runs are processes of their own: they find the server by this
                os.environ["PREFECT_API_URL"] = server.api_url
            from prefect.types.entrypoint import EntrypointType

            from singanimation.flows.augment import augment

            deployment = augment.to_deployment(
                name,
                cron=cron,
                interval=every,
                parameters={"options": options, "loader": loader},
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            when = f"cron {cron!r}" if cron is not None else f"every {every:g} s"
            print(f"Serving {settings.input} -> {options['output']}, {when}.", file=sys.stderr, flush=True)
            asyncio.run(_serve(deployment))
    finally:
        if server is not None:
            os.environ.pop("PREFECT_API_URL", None)
            server.stop()


async def _serve(deployment: Any) -> None:
    """Run what becomes due, until SIGTERM: then end what runs, pause the schedule, and return.

    Prefect's own handler for the signal calls a coroutine without awaiting it (3.8.8): nothing is paused then.
    """
    from prefect.runner import Runner

    runner = Runner(name=deployment.name, pause_on_shutdown=True, limit=1)
    await runner.aadd_deployment(deployment)
    serving = asyncio.ensure_future(runner.start())
    await asyncio.sleep(0)  # it sets its own handler first
    stopping: list[asyncio.Future[None]] = []
    on_terminate(asyncio.get_running_loop(), lambda: stopping.append(asyncio.ensure_future(runner.astop())))
    await serving


def _check_cron(cron: str) -> None:
    prepare_environment()
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError:
        raise UsageError(f'--cron {cron!r} is no cron line: give five fields, such as "0 2 * * *".') from None

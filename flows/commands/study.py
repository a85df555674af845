"""`augment study`: a local page that asks people: real or fake, and which emotion; and what the answers say."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singanimation.pipeline.errors import UsageError

if TYPE_CHECKING:
    from singanimation.flows.study.plan import Study

app = typer.Typer(add_completion=False)


@app.command()
def study(
    output: Annotated[Path, typer.Argument(help="An output folder of `augment`, with accepted variants.")],
    kind: Annotated[
        Literal["paired", "unpaired", "emotion"],
        typer.Option(help="Which of two is fake; real or fake; which emotion (of edits and real pictures)."),
    ] = "unpaired",
    to: Annotated[Path | None, typer.Option("--output", help="Default: OUTPUT/study-KIND.")] = None,
    trials: Annotated[int, typer.Option(min=2, help="Trials of each sort (the tutorial's come on top).")] = 50,
    score: Annotated[bool, typer.Option("--score", help="Print what the answers so far say, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --score: one JSON object.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on; other people's machines: 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Serve a study of a manifest's pictures until Ctrl-C: each picture is shown for one second, answers by keys.

    Subjects are anonymous; answers are appended to answers.jsonl. --score prints confusion rates with bootstrap
    deviations for N-1 and N-2, or the table of emotions.
    """
    from singanimation.flows.study.store import load_study, read_answers, save_study

    folder = to or output / f"study-{kind}"
    if score:
        _print_score(load_study(folder), read_answers(folder), as_json)
        return
    if as_json:
        raise UsageError("--json goes with --score.")
    from singanimation.flows.study.pictures import find_pictures
    from singanimation.flows.study.plan import make_study

    real, synthetic = find_pictures(output, kind)
    made = make_study(kind, real, synthetic, seed, trials)
    save_study(folder, made)
    _serve(folder, host, port)


def _serve(folder: Path, host: str, port: int) -> None:
    import socket

    import uvicorn

    from singanimation.flows.study.server import make_app
    from singanimation.flows.study.store import load_study

    token = secrets.token_urlsafe(16)
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror}.") from None
    with listening:
        shown = "127.0.0.1" if host == "0.0.0.0" else host
        print(f"The study is at http://{shown}:{listening.getsockname()[1]}/{token}/ until Ctrl-C.", flush=True)
        config = uvicorn.Config(make_app(folder, load_study(folder), token), log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


def _print_score(study: "Study", answers: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from singanimation.flows.cli import print_json
    from singanimation.flows.study.score import agreement, confusion_rates, exposure

    times = exposure(answers)
    if not answers or times is None:
        raise UsageError("No answers were given yet.")
    if study.kind == "emotion":
        table = agreement(study, answers)
        if as_json:
            print_json({"agreement": table, "shown_ms": times})
            return
        for group, rows in table.items():
            print(f"{group}: emotion shown (rows), seen (columns)")
            print(f"{'':<12}" + "".join(f"{name[:9]:>10}" for name in next(iter(rows.values()))))
            for shown, seen in rows.items():
                print(f"{shown:<12}" + "".join(f"{share:>10.0%}" for share in seen.values()))
    else:
        rates = confusion_rates(study, answers)
        if as_json:
            print_json({"rates": {name: asdict(rate) for name, rate in rates.items()}, "shown_ms": times})
            return
        for name, rate in rates.items():
            print(
                f"{name:<18}{rate.share:>7.1%} +- {rate.deviation:.1%}  ({rate.number} answers, {rate.subjects} people)"
            )
    print(f"Pictures were shown for {times[0]:.1f} to {times[2]:.1f} ms (median {times[1]:.1f}).")

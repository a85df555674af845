"""`augment weights list|fetch|verify|import|path`: the weights files, where they are, and whether they are right."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from singanimation.flows.cli import print_json
from singanimation.flows.options import QuietOption
from singanimation.pipeline.errors import UsageError, WeightsError
from singanimation.pipeline.weights import (
    ENTRIES,
    Entry,
    Found,
    cache_folder,
    fetch,
    file_sha256,
    find,
    get_entry,
    locate,
    verify,
)
from singanimation.pipeline.weights.checks import read_pin
from singanimation.pipeline.weights.download import Report

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, fetch, verify and import weights.")

NamesArgument = Annotated[list[str] | None, typer.Argument(help=f"Names: {', '.join(ENTRIES)}.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command("list")
def list_weights(as_json: JsonOption = False) -> None:
    """Show every weights file: what for, licence, size, address, hash, and where it was found."""
    found = {name: _located(name) for name in ENTRIES}
    if as_json:
        print_json({name: asdict(entry) | _place(found[name]) for name, entry in ENTRIES.items()})
        return
    for name, entry in ENTRIES.items():
        here = found[name]
        print(f"{name}: {here}" if isinstance(here, str) else f"{name}: {here.where}, {here.path}")
        for title, text in _lines(entry):
            print(f"    {title:9} {text}")


@app.command("fetch")
def fetch_weights(
    names: NamesArgument = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A mirror's address, or a file fetched elsewhere.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch anew what is there already.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch weights into the cache: resumed, checked, and there as a whole or not at all."""
    if not names:
        raise UsageError(f"say what to fetch: {', '.join(name for name, entry in ENTRIES.items() if entry.url)}.")
    if source is not None and len(names) > 1:
        raise UsageError("--from gives one file: name one.")
    for name in names:
        entry = get_entry(name)
        if entry.url and not quiet:
            print(f"{name}: licence {entry.licence}", file=sys.stderr)
        with _progress(name, quiet) as report:
            path = fetch(name, source=source, force=force, report=report)
        if not quiet:
            print(f"{path}: sha256 {read_pin(path).get('sha256', '')}; {entry.promise}")


@app.command("verify")
def verify_weights(names: NamesArgument = None) -> None:
    """Hash the weights that are here and compare; exit code 2 where one is not what it should be."""
    bad = 0
    for name in names or list(ENTRIES):
        entry = get_entry(name)
        found = locate(name)
        if found is None:
            if names:
                find(name)
            print(f"{name}: not here")
            continue
        if entry.package and found.where == "environment":
            print(f"{name}: your own, not compared: {found.path}: sha256 {file_sha256(found.path)}")
            continue
        verdict = verify(entry, found.path, read_pin(found.path) if found.where == "cache" else None)
        print(f"{name}: {'good' if verdict.good else 'NOT GOOD'}: {found.path}: {verdict.sentence}")
        bad += not verdict.good
    if bad:
        raise WeightsError(f"{bad} of the weights are not what they should be.")


@app.command("path")
def weights_path(
    name: Annotated[str | None, typer.Argument(help="A name; none: the cache folder.", show_default=False)] = None,
) -> None:
    """Print where weights lie, or the folder for fetched ones."""
    print(cache_folder() if name is None else find(name))


@app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(help="A published GANimation generator (.pth, .ckpt, .safetensors).")],
    output: Annotated[Path, typer.Option(help="The .safetensors file to write; its model card goes beside it.")],
    picture_statistics: Annotated[
        bool,
        typer.Option(
            "--picture-statistics",
            help="vipermu/ganimation: normalise by each picture's own statistics, not by those of its training.",
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a published GANimation generator into a file for --ganimation, with a model card."""
    from singanimation.stages.expansion.ganimation.published.importing import import_generator

    card = import_generator(file, output, picture_statistics=picture_statistics)
    if not quiet:
        print(f"{file}: {card['implementation']}\n{output} and {output.with_suffix('.md')} written. Use it:")
        print(f"    augment edit PICTURE --ganimation {output} --emotions all")


def _located(name: str) -> Found | str:
    """Return where the weights are, or in words why not."""
    try:
        return locate(name) or "not here"
    except WeightsError as error:
        return str(error)


def _place(here: Found | str) -> dict[str, Any]:
    if isinstance(here, str):
        return {"found": None, "where": None, "problem": here}
    return {"found": str(here.path), "where": here.where, "problem": None}


def _lines(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "for", entry.purpose
    yield "licence", entry.licence
    yield "file", f"{entry.file}, {entry.size}"
    if entry.url:
        yield "address", entry.url
    yield "check", entry.promise
    places = [f"${entry.variable}"] if entry.variable else []
    places += [str(cache_folder())] if entry.url else []
    places += ["the package"] if entry.package else []
    places += [f"{library}'s own downloads" for library, _ in entry.libraries]
    yield "looked in", ", ".join(places)


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Report]:
    """Show a bar on stderr where there is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)

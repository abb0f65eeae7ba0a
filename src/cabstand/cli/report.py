"""Commands that show results."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings

Lake = Annotated[str | None, typer.Option("--lake", help="URI or path of the lake.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("report")(report)
    app.command("demo")(demo)


def report(
    hotspots: Annotated[str, typer.Option("--hotspots", help="Folder of a clustering; the newest by default.")] = "",
    comparison: Annotated[
        str, typer.Option("--comparison", help="Folder of a comparison; the newest by default.")
    ] = "",
    sweep: Annotated[str, typer.Option("--sweep", help="Folder of a sweep; the newest by default.")] = "",
    out: Annotated[str, typer.Option("--out", help="Folder for the page, instead of one under the home.")] = "",
    lake: Lake = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
) -> None:
    """Draw the results as one self-contained page, with its pictures as PNG."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.report import Params, run

    emit(run(settings, Params(hotspots=hotspots, comparison=comparison, sweep=sweep, out=out, dry_run=dry_run)))


def demo(
    trips: Annotated[int, typer.Option("--trips", help="Synthetic trips to make.")] = 500_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same trips.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", help="Trials of each engine and size.")] = 5,
) -> None:
    """Run the main job end to end on synthetic trips: make them, cluster, compare, sweep, train, report."""
    settings = load_settings()
    from cabstand.jobs.demo import Params, run

    result = run(settings, Params(trips=trips, seed=seed, repeats=repeats))
    typer.echo(f"Open the report in a browser: {result['report_uri']}", err=True)
    emit(result)

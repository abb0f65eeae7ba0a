"""Commands that cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings

Input = Annotated[
    str,
    typer.Option(
        "--input", help="URI, glob or folder: trips as `ingest` writes them, or Parquet or CSV with lat and lon."
    ),
]
Eps = Annotated[float, typer.Option("--eps-m", help="Radius of a neighbourhood in metres.")]
MinSamples = Annotated[int, typer.Option("--min-samples", help="Points, or weight, that make a core point.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Threads or processes; one a core by default.")]
Dropoffs = Annotated[bool, typer.Option("--dropoffs/--pickups", help="Which end of the trips.")]
Lake = Annotated[str | None, typer.Option("--lake", help="URI or path of the lake.")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Log the run to MLflow.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]
Weight = Annotated[str | None, typer.Option("--weight-column", help="Column of weights.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("cluster")(cluster)


def cluster(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    engine: Annotated[str, typer.Option("--engine", help="sequential, multicore or sklearn.")] = "multicore",
    workers: Workers = None,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    out: Annotated[str | None, typer.Option("--out", help="Folder for the result, instead of one in the lake.")] = None,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Find the hotspots of trips: exact DBSCAN, one row a cluster, labels and core points."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.cluster import Params, run

    params = Params(
        input=input_uri,
        eps_m=eps_m,
        min_samples=min_samples,
        engine=engine,
        n_workers=workers,
        end="dropoff" if dropoffs else "pickup",
        weight_column=weight_column,
        out=out,
        track=track,
        dry_run=dry_run,
    )
    emit(run(settings, params))

"""Commands that put trips and zones into the lake."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import DryRun, Lake, LatColumn, LonColumn, TimeColumn

app = typer.Typer()


@app.command()
def ingest(
    dataset: Annotated[str, typer.Option(help="yellow, green or uber.")],
    month: Annotated[str, typer.Option(help="Month as YYYY-MM.")],
    source: Annotated[str, typer.Option(help="Path, s3:// or https:// address; default: the TLC's file.")] = "",
    lat_column: LatColumn = None,
    lon_column: LonColumn = None,
    time_column: TimeColumn = None,
    lake: Lake = None,
    dry_run: DryRun = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Download and ingest again even if already done.")] = False,
) -> None:
    """Ingest one month of trips into the lake. Bad rows go to a quarantine file with the reason."""
    from cabstand.jobs import ingest as job
    from cabstand.trips.columns import Named

    settings = load_settings(lake=lake)
    emit(
        job.run(
            settings, job.Params(dataset, month, source, dry_run, refresh, Named(lat_column, lon_column, time_column))
        )
    )


@app.command()
def download(
    dataset: Annotated[str, typer.Option(help="yellow, green or uber.")],
    month: Annotated[list[str], typer.Option(help="Month as YYYY-MM; repeatable.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// address for a copy of each file.")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Download again even if it is in the cache.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Download months of raw trips, and no more. They go to the cache, where `ingest` and `pipeline` find them."""
    from cabstand.jobs import download as job

    emit(job.run(load_settings(), job.Params(dataset, tuple(month), out, refresh, dry_run)))


@app.command()
def synth(
    trips: Annotated[int, typer.Option(min=1, help="Number of trips.")],
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same trips.")] = 0,
    era: Annotated[str, typer.Option(help="Location columns: coordinates or zones.")] = "coordinates",
    month: Annotated[str, typer.Option(help="Month as YYYY-MM.")] = "2024-01",
    name: Annotated[str, typer.Option(help="Dataset name: synth, or one that begins with synth-.")] = "synth",
    decimals: Annotated[int, typer.Option(help="Decimal places of the coordinates.")] = 5,
    bad_share: Annotated[float, typer.Option(help="Share of rows to corrupt for the quarantine.")] = 0.0,
    slowdown: Annotated[float, typer.Option(help="Drift: factor on trip durations.")] = 1.0,
    hotspot_shift_m: Annotated[float, typer.Option(help="Drift: metres to move hotspots.")] = 0.0,
    hour_shift: Annotated[int, typer.Option(help="Drift: hours to shift daily demand.")] = 0,
    airport_factor: Annotated[float, typer.Option(help="Drift: factor on airport trips.")] = 1.0,
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Generate synthetic trips with known hotspots. They go to `<home>/synthetic` or --lake, apart from real trips."""
    from cabstand.io import synthetic
    from cabstand.jobs import synth as job
    from cabstand.trips.synthetic.generator import Plan

    settings = load_settings(lake=lake)
    settings = settings if lake else synthetic.apart(settings)
    plan = Plan(
        trips=trips, seed=seed, era=era, month=month, decimals=decimals, bad_share=bad_share, slowdown=slowdown,
        hotspot_shift_m=hotspot_shift_m, hour_shift=hour_shift, airport_factor=airport_factor,
    )  # fmt: skip
    emit(job.run(settings, job.Params(plan, name, dry_run)))


@app.command()
def zones(
    source: Annotated[str, typer.Option(help="Folder or address of taxi_zones.zip and taxi_zone_lookup.csv.")] = "",
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Import the TLC's taxi zones into the lake. Stores names, centroids and outlines."""
    from cabstand.jobs import zones as job

    emit(job.run(load_settings(lake=lake), job.Params(source, dry_run)))

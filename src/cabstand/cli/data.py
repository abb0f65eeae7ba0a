"""Commands about trips and zones."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings

Lake = Annotated[str | None, typer.Option("--lake", help="URI or path of the lake; setting `lake` by default.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("ingest")(ingest)
    app.command("synth")(synth)
    app.command("zones")(zones)


def ingest(
    dataset: Annotated[str, typer.Option("--dataset", help="yellow, green or uber.")],
    month: Annotated[str, typer.Option("--month", help="YYYY-MM.")],
    source: Annotated[
        str, typer.Option("--source", help="Path, s3:// or https:// of the file; the TLC's own by default.")
    ] = "",
    lake: Lake = None,
    dry_run: DryRun = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Download and ingest even what is there already.")] = False,
) -> None:
    """Take one month of trips into the lake; bad rows go to a quarantine file with a reason each."""
    from cabstand.jobs import ingest as job

    settings = load_settings(lake=lake)
    emit(job.run(settings, job.Params(dataset, month, source, dry_run, refresh)))


def synth(
    trips: Annotated[int, typer.Option("--trips", min=1, help="Rows to make.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trips.")] = 0,
    era: Annotated[str, typer.Option("--era", help="coordinates or zones.")] = "coordinates",
    month: Annotated[str, typer.Option("--month", help="YYYY-MM.")] = "2024-01",
    name: Annotated[str, typer.Option("--name", help="Name of the data set: synth, or synth-something.")] = "synth",
    decimals: Annotated[int, typer.Option("--decimals", help="Decimals of the coordinates.")] = 5,
    bad_share: Annotated[float, typer.Option("--bad-share", help="Share of rows spoiled for the quarantine.")] = 0.0,
    slowdown: Annotated[float, typer.Option("--slowdown", help="Drift: durations times this.")] = 1.0,
    hotspot_shift_m: Annotated[float, typer.Option("--hotspot-shift-m", help="Drift: metres hotspots move.")] = 0.0,
    hour_shift: Annotated[int, typer.Option("--hour-shift", help="Drift: hours the city's day moves.")] = 0,
    airport_factor: Annotated[
        float, typer.Option("--airport-factor", help="Drift: airports' weight times this.")
    ] = 1.0,
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Make synthetic trips with known hotspots, written beside them; same seed, same trips."""
    from cabstand.jobs import synth as job
    from cabstand.trips.synthetic.generator import Plan

    settings = load_settings(lake=lake)
    plan = Plan(
        trips=trips, seed=seed, era=era, month=month, decimals=decimals, bad_share=bad_share, slowdown=slowdown,
        hotspot_shift_m=hotspot_shift_m, hour_shift=hour_shift, airport_factor=airport_factor,
    )  # fmt: skip
    emit(job.run(settings, job.Params(plan, name, dry_run)))


def zones(
    source: Annotated[
        str, typer.Option("--source", help="Folder or address of taxi_zones.zip and taxi_zone_lookup.csv.")
    ] = "",
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Take the TLC's zones into the lake: names, centroids, outlines."""
    from cabstand.jobs import zones as job

    emit(job.run(load_settings(lake=lake), job.Params(source, dry_run)))

"""Options that several commands share."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import typer

# Every command
Lake = Annotated[str | None, typer.Option(help="URI or path of the lake, instead of the setting's.")]
Artifacts = Annotated[str | None, typer.Option(help="URI or path of bundles and pointers, instead of the setting's.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Log the run to MLflow.")]
Seed = Annotated[int, typer.Option(help="Random seed.")]
SamplingSeed = Annotated[int, typer.Option(help="Random seed for sampling.")]

# Clustering
Input = Annotated[
    str,
    typer.Option(
        "--input",
        help="URI, glob or folder of ingested trips, or of (Geo)Parquet, CSV or GeoJSON points; or `newest`, or "
        "`newest:<dataset>`: the newest month in the lake.",
    ),
]
Eps = Annotated[float, typer.Option(help="Neighbourhood radius in metres.")]
MinSamples = Annotated[int, typer.Option(help="Points (or total weight) that make a core point.")]
Workers = Annotated[int | None, typer.Option(help="Number of threads or processes; default: one per core.")]
Dropoffs = Annotated[bool, typer.Option("--dropoffs/--pickups", help="Which end of the trips to use.")]
LatColumn = Annotated[str | None, typer.Option(help="Column of latitudes, if by another name than the known ones.")]
LonColumn = Annotated[str | None, typer.Option(help="Column of longitudes, likewise.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column of times, likewise.")]
Era = Annotated[
    str | None, typer.Option(help="For input that mixes them: trips with coordinates, or with zones alone.")
]
Weight = Annotated[str | None, typer.Option(help="Column of point weights.")]

# Models
Problem = Annotated[
    str, typer.Option(help="trip-duration, trip-duration-distance, housing, iris, or a path to a .py file.")
]
Version = Annotated[str, typer.Option(help="Bundle version, or a unique prefix of it.")]
Why = Annotated[str, typer.Option(help="Reason to record in the pointer.")]
Who = Annotated[str, typer.Option(help="Author to record in the pointer; default: the current user.")]
Newest = Annotated[
    int, typer.Option(help="Without --month: number of newest complete months; the last one is held out.")
]
Fetch = Annotated[
    bool, typer.Option("--fetch/--no-fetch", help="Without --month: ingest newer months that are published.")
]


def finite(value: float | None) -> float | None:
    """Refuse what no range refuses: not a number, and infinity."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def end_of(*, dropoffs: bool) -> Literal["pickup", "dropoff"]:
    """Return which end of the trips `Dropoffs` chooses."""
    return "dropoff" if dropoffs else "pickup"

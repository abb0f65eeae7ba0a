"""Map the source columns of every era the TLC has published to the canonical ones, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cabstand.errors import DataError
from cabstand.trips.columns import ALIASES, BY_ALIAS, DROPOFF, PICKUP, Named, find, is_surplus, match, plain, shown

DATASETS = ("yellow", "green", "uber")

COORDINATES = "coordinates"
ZONES = "zones"

_AMOUNTS: dict[str, tuple[str, ...]] = {
    "distance_km": ("tripdistance", "tripmiles"),
    "passengers": ("passengercount",),
    "fare_usd": ("fareamount", "fareamt"),
    "total_usd": ("totalamount", "totalamt"),
}
# What only one data set's files have ever had.
_MARKS = {
    "yellow": ("tpeppickupdatetime", "tpepdropoffdatetime", "trippickupdatetime", "tripdropoffdatetime", "airportfee"),
    "green": ("lpeppickupdatetime", "lpepdropoffdatetime", "ehailfee", "triptype"),
}

# Documented columns that the canonical schema has no use for; any other column is reported as unknown.
_KNOWN_EXTRA = frozenset(
    {"vendorid", "vendorname", "ratecodeid", "ratecode", "storeandfwdflag", "storeandforward", "paymenttype"}
    | {"triptype", "extra", "surcharge", "mtatax", "tipamount", "tipamt", "tollsamount", "tollsamt", "ehailfee"}
    | {"base", "improvementsurcharge", "congestionsurcharge", "airportfee", "cbdcongestionfee"}
)

_LOCATIONS = {
    COORDINATES: ("pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"),
    ZONES: ("pickup_zone", "dropoff_zone"),
}
# What the official files call a required column, for the error that names a missing one.
_OFFICIAL = {
    "pickup_at": "pickup date and time (tpep_pickup_datetime, lpep_pickup_datetime, Date/Time)",
    "dropoff_at": "dropoff date and time (tpep_dropoff_datetime, lpep_dropoff_datetime)",
    "pickup_zone": "PULocationID",
    "dropoff_zone": "DOLocationID",
    "pickup_lat": "pickup_latitude (or Start_Lat, Lat)",
    "pickup_lon": "pickup_longitude (or Start_Lon, Lon)",
    "dropoff_lat": "dropoff_latitude (or End_Lat)",
    "dropoff_lon": "dropoff_longitude (or End_Lon)",
    "distance_km": "trip_distance",
}


@dataclass(frozen=True)
class Era:
    """How one file's columns map to the canonical ones."""

    name: str  # `COORDINATES` or `ZONES`
    columns: dict[str, str]  # canonical name to the source's own name
    needed: tuple[str, ...]  # canonical columns in which a null is an error
    ignored: tuple[str, ...]  # documented source columns that are left out
    unknown: tuple[str, ...]  # source columns that are left out because no era has them


def detect(names: Sequence[str], dataset: str, named: Named = BY_ALIAS) -> Era:
    """Return the era of a file of one of `DATASETS` from its column names; `named` ones are those of the pickup."""
    _check_dataset(names, dataset)
    found = find(names, PICKUP, named) | find(names, DROPOFF) | match(names, _AMOUNTS)
    era = _era_of(found, names)
    needed = needed_columns(dataset, era)
    missing = [_OFFICIAL[name] for name in needed if name not in found]
    if missing:
        raise DataError(f"missing column: {'; '.join(missing)}", hint=f"is this a {dataset} file?")
    wanted = set(needed) | {"passengers", "fare_usd", "total_usd"}
    columns = {name: found[name] for name in (*ALIASES, *_AMOUNTS) if name in found and name in wanted}
    left = [name for name in names if name not in columns.values()]
    known = _KNOWN_EXTRA | {alias for aliases in (*ALIASES.values(), *_AMOUNTS.values()) for alias in aliases}
    return Era(
        name=era,
        columns=columns,
        needed=needed,
        ignored=tuple(name for name in left if plain(name) in known),
        unknown=tuple(name for name in left if plain(name) not in known and not is_surplus(name)),
    )


def _check_dataset(names: Sequence[str], dataset: str) -> None:
    """Refuse a file whose columns say that it is of another data set."""
    present = {plain(name): name for name in names}
    marks = {one: [present[mark] for mark in marks if mark in present] for one, marks in _MARKS.items()}
    (found, others) = (marks.get(dataset, []), {one: seen for one, seen in marks.items() if one != dataset and seen})
    if others and not found:
        other, seen = next(iter(others.items()))
        raise DataError(f"holds {other} trips, as its column {seen[0]} tells", hint=f"use --dataset {other}")


def _era_of(found: dict[str, str], names: Sequence[str]) -> str:
    # Any coordinate column makes it the coordinate era; `detect` then names the coordinates that are missing.
    if any(name in found for name in _LOCATIONS[COORDINATES]):
        return COORDINATES
    if any(name in found for name in _LOCATIONS[ZONES]):
        return ZONES
    raise DataError(
        "missing column: neither pickup_latitude and pickup_longitude nor PULocationID"
        f" among the columns {shown(names)}",
        hint="is this a file of trip records? --lat-column and --lon-column name others",
    )


def needed_columns(dataset: str, era: str) -> tuple[str, ...]:
    """Return the canonical columns that a file of this data set and era must have."""
    if dataset == "uber":
        return ("pickup_at", *_LOCATIONS[era][: 2 if era == COORDINATES else 1])
    return ("pickup_at", "dropoff_at", *_LOCATIONS[era], "distance_km")

"""Map the source columns of every era the TLC has published to the canonical ones.

Names are compared without case, spaces or punctuation: `Trip_Pickup_DateTime` (2009), `pickup_datetime` (2010-2014),
`tpep_pickup_datetime` (yellow since 2015), `Lpep_dropoff_datetime` (green 2013) name the same column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cabstand.errors import DataError

DATASETS = ("yellow", "green", "uber")

COORDINATES = "coordinates"
ZONES = "zones"

_ALIASES: dict[str, tuple[str, ...]] = {
    "pickup_at": ("tpeppickupdatetime", "lpeppickupdatetime", "trippickupdatetime", "pickupdatetime", "datetime"),
    "dropoff_at": ("tpepdropoffdatetime", "lpepdropoffdatetime", "tripdropoffdatetime", "dropoffdatetime"),
    "pickup_zone": ("pulocationid",),
    "dropoff_zone": ("dolocationid",),
    "pickup_lat": ("pickuplatitude", "startlat", "lat"),
    "pickup_lon": ("pickuplongitude", "startlon", "lon"),
    "dropoff_lat": ("dropofflatitude", "endlat"),
    "dropoff_lon": ("dropofflongitude", "endlon"),
    "distance_km": ("tripdistance",),
    "passengers": ("passengercount",),
    "fare_usd": ("fareamount", "fareamt"),
    "total_usd": ("totalamount", "totalamt"),
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


def detect(names: Sequence[str], dataset: str) -> Era:
    """Return the era of a file of one of `DATASETS` from its column names."""
    found = _match(names)
    era = _era_of(found)
    needed = needed_columns(dataset, era)
    missing = [_OFFICIAL[name] for name in needed if name not in found]
    if missing:
        raise DataError(f"missing column: {'; '.join(missing)}", hint=f"is this a {dataset} file?")
    wanted = set(needed) | {"passengers", "fare_usd", "total_usd"}
    columns = {name: found[name] for name in _ALIASES if name in found and name in wanted}
    left = [name for name in names if name not in columns.values()]
    known = _KNOWN_EXTRA | {alias for aliases in _ALIASES.values() for alias in aliases}
    return Era(
        name=era,
        columns=columns,
        needed=needed,
        ignored=tuple(name for name in left if _plain(name) in known),
        unknown=tuple(name for name in left if _plain(name) not in known and not is_surplus(name)),
    )


def surplus(index: int) -> str:
    """Return the name of a column that the rows have and the header has not, from a stray comma at the end."""
    return f"(unnamed {index})"


def is_surplus(name: str) -> bool:
    """Return whether `name` was made by `surplus`."""
    return name.startswith("(unnamed ")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _match(names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for canonical, aliases in _ALIASES.items():
        matches = [name for name in names if _plain(name) in aliases]
        if len(matches) > 1:
            raise DataError(f"column for {canonical} occurs more than once: {', '.join(matches)}")
        if matches:
            found[canonical] = matches[0]
    return found


def _era_of(found: dict[str, str]) -> str:
    # Any coordinate column makes it the coordinate era; `detect` then names the coordinates that are missing.
    if any(name in found for name in _LOCATIONS[COORDINATES]):
        return COORDINATES
    if any(name in found for name in _LOCATIONS[ZONES]):
        return ZONES
    raise DataError(
        "missing column: neither pickup_latitude and pickup_longitude nor PULocationID",
        hint="is this a file of trip records?",
    )


def needed_columns(dataset: str, era: str) -> tuple[str, ...]:
    """Return the canonical columns that a file of this data set and era must have."""
    if dataset == "uber":
        return ("pickup_at", *_LOCATIONS[era][: 2 if era == COORDINATES else 1])
    return ("pickup_at", "dropoff_at", *_LOCATIONS[era], "distance_km")

"""Which columns of a table hold the time and place of either end of its trips, by the names that publishers give them.

Names are compared without case, spaces or punctuation: `Trip_Pickup_DateTime` (2009), `tpep_pickup_datetime` (yellow
since 2015), `Pickup Centroid Latitude` (Chicago), `start_lat` (Citi Bike, Divvy).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cabstand.errors import ConfigError, DataError

PICKUP, DROPOFF = "pickup", "dropoff"
_STARTS: tuple[str, ...] = (
    "pickup",
    "start",
    "pu",
    "startstation",
    "pickupcentroid",
    "pickuplocation",
    "pickuppoint",
    "startlocation",
)
_STARTS += ("tripstart", "starting", "begin", "origin", "from")
_STOPS: tuple[str, ...] = (
    "dropoff",
    "end",
    "do",
    "endstation",
    "dropoffcentroid",
    "dropofflocation",
    "dropoffpoint",
    "endlocation",
)
_STOPS += ("tripend", "ending", "destination", "dest", "to")
_NEITHER = ("", "geo", "gps", "point", "location", "loc", "centroid", "station", "event")  # read as pickups
_WORDS = {"lat": ("lat", "latitude"), "lon": ("lon", "longitude", "lng", "long")}
_GEOMETRIES = ("centroidlocation", "location", "point", "geometry", "geom", "wkt", "wkb", "coordinates")
_LATITUDE, _LONGITUDE = " (latitude)", " (longitude)"
_OPTIONS = {"lat": "--lat-column", "lon": "--lon-column", "at": "--time-column"}
_VALUE = re.compile(r"\s*-?\d[\d.,:/TZ -]*")
_METERED = ("tpep", "lpep", "", "trip")


def _joined(prefixes: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    forward = (f"{prefix}{word}" for prefix in prefixes for word in words)
    backward = (f"{word}{prefix}" for prefix in prefixes for word in words)
    return tuple(dict.fromkeys([*forward, *backward]))


# The first name that is present is used.
ALIASES: dict[str, tuple[str, ...]] = {
    "pickup_at": (
        *("pickupat", *(f"{meter}pickupdatetime" for meter in _METERED), "pickuptime", "pickuptimestamp", "pickupdate"),
        *("startedat", "starttime", "startdatetime", "starttimestamp", "startdate"),
        *("tripstarttimestamp", "tripstarttime", "tripstartdatetime", "datetime", "timestamp", "time", "date", "t"),
    ),
    "dropoff_at": (
        *("dropoffat", *(f"{meter}dropoffdatetime" for meter in _METERED), "dropofftime", "dropofftimestamp"),
        *("dropoffdate", "endedat", "endtime", "stoptime", "enddatetime", "endtimestamp", "enddate"),
        *("tripendtimestamp", "tripendtime", "tripenddatetime"),
    ),
    "pickup_zone": ("pickupzone", "pulocationid", "pickuplocationid", "pickupzoneid", "locationid"),
    "dropoff_zone": ("dropoffzone", "dolocationid", "dropofflocationid", "dropoffzoneid"),
    **{f"pickup_{axis}": _joined((*_STARTS, *_NEITHER), words) for axis, words in _WORDS.items()},
    **{f"dropoff_{axis}": _joined(_STOPS, words) for axis, words in _WORDS.items()},
}
_GEOMETRY = {
    PICKUP: (*_joined(_STARTS, _GEOMETRIES), *_GEOMETRIES, "thegeom", "wktgeom", "shape"),
    DROPOFF: _joined(_STOPS, _GEOMETRIES),
}


@dataclass(frozen=True)
class Named:
    """Columns that the user names, instead of those that the aliases find."""

    latitude: str | None = None
    longitude: str | None = None
    time: str | None = None

    def of(self, end: str) -> dict[str, str]:
        """Return the canonical names of one end of the trips, and the columns named for them; ConfigError if halved."""
        if (self.latitude is None) != (self.longitude is None):
            raise ConfigError("name both columns of coordinates", where="--lat-column, --lon-column")
        given = {f"{end}_lat": self.latitude, f"{end}_lon": self.longitude, f"{end}_at": self.time}
        return {canonical: name for canonical, name in given.items() if name is not None}

    @property
    def parameters(self) -> dict[str, str]:
        """The names given, for a run key; none where none is given."""
        given = {"lat_column": self.latitude, "lon_column": self.longitude, "time_column": self.time}
        return {option: name for option, name in given.items() if name is not None}


BY_ALIAS = Named()  # none: those that the aliases find


@dataclass(frozen=True)
class Columns:
    """Names as the table spells them; None where it has no such column."""

    latitude: str | None
    longitude: str | None
    time: str | None
    zone: str | None
    weight: str | None = None

    @property
    def named(self) -> list[str]:
        """The names that are present, each once."""
        every = (self.latitude, self.longitude, self.time, self.zone, self.weight)
        return list(dict.fromkeys(name for name in every if name is not None))


def choose(
    names: Sequence[str],
    end: str,
    *,
    named: Named = BY_ALIAS,
    weight: str | None = None,
) -> Columns:
    """Choose the columns of one end of the trips, `PICKUP` or `DROPOFF`.

    DataError if the table has neither coordinates nor zones, ConfigError if it lacks a column that the user names.
    """
    found = find(names, end, named)
    latitude, longitude, time, zone = (found.get(f"{end}_{what}") for what in ("lat", "lon", "at", "zone"))
    if zone is None and (latitude is None or longitude is None):
        hint = _hint(names, latitude or longitude)
        raise DataError(f"no latitude and longitude of a {end} among the columns {shown(names)}", hint=hint)
    if weight is not None:
        _check(weight, names, "--weight-column")
    return Columns(latitude, longitude, time, zone, weight)


def find(names: Sequence[str], end: str, named: Named = BY_ALIAS) -> dict[str, str]:
    """Return the columns of the time, zone and coordinates of one end of the trips, by canonical name.

    DataError if two columns have the same name but for case and punctuation, ConfigError as in `choose`.
    """
    given = named.of(end)
    found = match(names, {name: ALIASES[name] for name in ALIASES if name.startswith(end) and name not in given})
    if f"{end}_lat" not in found or f"{end}_lon" not in found:
        found |= _geometry(names, end)
    for canonical, name in given.items():
        _check(name, names, _OPTIONS[canonical.partition("_")[2]])
        found[canonical] = name
    return found


def match(names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the column with the first alias that is present, for each canonical name that has one."""
    by_plain: dict[str, list[str]] = {}
    for name in names:
        by_plain.setdefault(plain(name), []).append(name)
    found = {}
    for canonical, candidates in aliases.items():
        present = next((alias for alias in candidates if alias in by_plain), None)
        if present is None:
            continue
        if len(by_plain[present]) > 1:
            raise DataError(f"column for {canonical} occurs more than once: {', '.join(by_plain[present])}")
        found[canonical] = by_plain[present][0]
    return found


def plain(name: str) -> str:
    """Return a name without case, spaces or punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def shown(names: Sequence[str]) -> str:
    """Return the first names, for an error."""
    return ", ".join(name[:40] for name in names[:12]) + (", ..." if len(names) > 12 else "")


def surplus(index: int) -> str:
    """Return the name of a column that the rows have and the header has not, from a stray comma at the end."""
    return f"(unnamed {index})"


def is_surplus(name: str) -> bool:
    """Return whether `name` was made by `surplus`."""
    return name.startswith("(unnamed ")


def axes(geometry: str) -> tuple[str, str]:
    """Return the names of the latitudes and longitudes that a column of geometries is read as."""
    return f"{geometry}{_LATITUDE}", f"{geometry}{_LONGITUDE}"


def is_geometry(name: str) -> bool:
    """Return whether a column by this name may hold points as text (WKT) or bytes (WKB)."""
    return plain(name) in {*_GEOMETRY[PICKUP], *_GEOMETRY[DROPOFF]}


def is_located(names: Sequence[str]) -> bool:
    """Return whether columns by these names hold coordinates or zones."""
    located = {alias for name, aliases in ALIASES.items() if not name.endswith("_at") for alias in aliases}
    return any(plain(name) in located for name in names)


def is_headless(names: Sequence[str]) -> bool:
    """Return whether the first line of a file holds values rather than names."""
    return sum(_VALUE.fullmatch(name) is not None for name in names) * 2 > len(names)


def _geometry(names: Sequence[str], end: str) -> dict[str, str]:
    """Return the coordinates of the points of one end of the trips, of those that have geometries."""
    columns = [name.removesuffix(_LATITUDE) for name in names if name.endswith(_LATITUDE)]
    ranked = sorted(
        (column for column in columns if plain(column) in _GEOMETRY[end]),
        key=lambda column: _GEOMETRY[end].index(plain(column)),
    )
    unnamed = [column for column in columns if end == PICKUP and plain(column) not in _GEOMETRY[DROPOFF]]
    chosen = next(iter([*ranked, *unnamed]), None)
    return {} if chosen is None else dict(zip((f"{end}_lat", f"{end}_lon"), axes(chosen), strict=True))


def _check(name: str, names: Sequence[str], option: str) -> None:
    if name not in names:
        raise ConfigError(f"no column {name!r}", where=option, hint=f"columns: {shown(names)}")
    if list(names).count(name) > 1:
        raise DataError(f"column {name} occurs more than once")


def _hint(names: Sequence[str], half: str | None) -> str:
    if half is not None:
        return f"{half} is there, but not its counterpart: name both with --lat-column and --lon-column"
    if is_headless(names):
        return "the first line holds values: put a line of column names before it, such as lat,lon"
    if len(names) == 1:
        return "the columns are not separated by a comma, semicolon, tab or |"
    return "name them with --lat-column and --lon-column"

"""Choose the columns of a table that hold the coordinates, time and zone of one end of its trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cabstand.errors import ConfigError, DataError

End = Literal["pickup", "dropoff"]

# Compared in lower case, letters and digits only; the first name that is present is used.
_LATITUDE = {
    "pickup": ("pickuplat", "pickuplatitude", "startlat", "latitude", "lat"),
    "dropoff": ("dropofflat", "dropofflatitude", "endlat"),
}
_LONGITUDE = {
    "pickup": ("pickuplon", "pickuplongitude", "startlon", "longitude", "lon", "lng"),
    "dropoff": ("dropofflon", "dropofflongitude", "endlon"),
}
_PREFIXES = ("tpep", "lpep", "", "trip")
_TIME = {
    "pickup": ("pickupat", *(f"{prefix}pickupdatetime" for prefix in _PREFIXES), "datetime"),
    "dropoff": ("dropoffat", *(f"{prefix}dropoffdatetime" for prefix in _PREFIXES)),
}
_ZONE = {"pickup": ("pickupzone", "pulocationid"), "dropoff": ("dropoffzone", "dolocationid")}


@dataclass(frozen=True)
class Columns:
    """Names as the table spells them; None where it has no such column."""

    latitude: str | None
    longitude: str | None
    time: str | None
    zone: str | None
    weight: str | None

    @property
    def named(self) -> list[str]:
        """The names that are present."""
        every = (self.latitude, self.longitude, self.time, self.zone, self.weight)
        return [name for name in every if name is not None]


def choose(names: Sequence[str], end: End, *, weight: str | None = None, where: str = "input") -> Columns:
    """Choose the columns of one end of the trips; `where` is the file, for errors.

    DataError if the table has neither coordinates nor zones, ConfigError if it has no such weight column.
    """
    plain = {_plain(name): name for name in reversed(names)}
    latitude, longitude = _first(plain, _LATITUDE[end]), _first(plain, _LONGITUDE[end])
    zone = _first(plain, _ZONE[end])
    if zone is None and (latitude is None or longitude is None):
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise DataError(
            f"no latitude and longitude of a {end} among the columns {shown}", where=where, hint="name them lat and lon"
        )
    if weight is not None and weight not in names:
        raise ConfigError(f"no column {weight!r}", where=where, hint=f"columns: {', '.join(names[:12])}")
    return Columns(latitude, longitude, _first(plain, _TIME[end]), zone, weight)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _first(plain: dict[str, str], candidates: Sequence[str]) -> str | None:
    return next((plain[name] for name in candidates if name in plain), None)

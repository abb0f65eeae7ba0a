"""Choose the columns of a table that hold the coordinates, time and zone of one end of its trips."""

from __future__ import annotations

import re
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
# Words of a name that say which coordinate it is, after these words are cut off its front.
_LATITUDE_WORDS = {"lat", "lats", "latitude", "latitudes"}
_LONGITUDE_WORDS = {"lon", "lons", "lng", "lngs", "long", "longs", "longitude", "longitudes"}
_ENDS = re.compile(r"^(pickup|dropoff|start|end|begin|origin|destination|dest|from|to|geo|centroid)(?=l)")
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


def is_longitude_first(names: Sequence[str]) -> bool:
    """Tell whether the names of two columns say that longitude comes before latitude, or x before y.

    `lon` or `pickup_longitude` in front says so, and so does `lat` or `start_lat` behind; x and y only together.
    """
    if len(names) != 2:
        return False
    first, second = (_words(name) for name in names)
    if first & _LATITUDE_WORDS and not second & _LATITUDE_WORDS:
        return False
    named = bool(first & _LONGITUDE_WORDS or second & _LATITUDE_WORDS)
    return named or ("x" in first and "y" in second)


def _words(name: str) -> set[str]:
    """Split `startLng`, `pickup_longitude2` or `PickupLon` into lower-case words without digits behind them."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower()
    words = [word.rstrip("0123456789") for word in re.split(r"[\W_]+", spaced)]
    return {_ENDS.sub("", word) for word in words}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _first(plain: dict[str, str], candidates: Sequence[str]) -> str | None:
    return next((plain[name] for name in candidates if name in plain), None)

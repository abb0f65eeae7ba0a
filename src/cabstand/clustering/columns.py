"""Which end of its trips a table is read for, and what the names of two columns say of their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

End = Literal["pickup", "dropoff"]

# Words of a name that say which coordinate it is, after these words are cut off its front.
_LATITUDE_WORDS = {"lat", "lats", "latitude", "latitudes"}
_LONGITUDE_WORDS = {"lon", "lons", "lng", "lngs", "long", "longs", "longitude", "longitudes"}
_ENDS = re.compile(r"^(pickup|dropoff|start|end|begin|origin|destination|dest|from|to|geo|centroid)(?=l)")


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

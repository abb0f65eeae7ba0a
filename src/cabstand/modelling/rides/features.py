"""The features of a ride, from what is known before it starts: zones and the time of pick-up."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from cabstand.modelling.problem import Assets, Columns, FeatureMatrix, FloatArray
from cabstand.tlc import LAST_ZONE

N_CODES = LAST_ZONE + 1  # size of arrays indexed by LocationID; 0 stands for no zone
# Over a city, degrees are proportional to kilometres: along the meridian, and along the parallel of 40.7 degrees north.
KM_A_DEGREE = 111.195
PARALLEL = float(np.cos(np.radians(40.7)))

FEATURES = (
    "pickup_zone",
    "dropoff_zone",
    "hour",
    "weekday",
    "month",
    "pair_min",
    "centroid_km",
    "manhattan_km",
    "bearing_rad",
    "pickup_lat",
    "pickup_lon",
    "dropoff_lat",
    "dropoff_lon",
)


def features(columns: Columns, assets: Assets) -> FeatureMatrix:
    """Return the features of rides, float32 (n, 13), as `FEATURES` names them; NaN where a zone has no centroid.

    Columns: pickup_zone, dropoff_zone int64 (n,); pickup_at datetime64[s] (n,). Assets: zone_lat, zone_lon float64
    (266,) degrees, NaN where unknown; pair_min float32 (266, 266) minutes; or what `prepare` makes of these.
    """
    pickup = columns["pickup_zone"].astype(np.int64, copy=False)
    dropoff = columns["dropoff_zone"].astype(np.int64, copy=False)
    table = assets.get("pairs")
    moments = columns["pickup_at"]
    if len(moments) == 1 and table is not None and (of_one := _calendar_of_one(moments)):
        pair = pickup.item() * N_CODES + dropoff.item()
        matrix = table[pair : pair + 1].copy()
        matrix[0, 2:5] = of_one
        return matrix
    matrix = _of_pairs(pickup, dropoff, assets) if table is None else table.take(pickup * N_CODES + dropoff, axis=0)
    matrix[:, 2], matrix[:, 3], matrix[:, 4] = calendar(moments)
    return matrix


def prepare(assets: Assets) -> Assets:
    """Return the assets with `pairs`, float32 (266 * 266, 13): all features but the time's, by pair of zones."""
    zones = np.arange(N_CODES)
    return dict(assets) | {"pairs": _of_pairs(zones[:, None], zones, assets).reshape(-1, len(FEATURES))}


def _of_pairs(pickup: npt.NDArray[np.int64], dropoff: npt.NDArray[np.int64], assets: Assets) -> FeatureMatrix:
    lat, lon = assets["zone_lat"], assets["zone_lon"]
    pickup_lat, pickup_lon, dropoff_lat, dropoff_lon = lat[pickup], lon[pickup], lat[dropoff], lon[dropoff]
    north = (dropoff_lat - pickup_lat) * KM_A_DEGREE
    east = (dropoff_lon - pickup_lon) * KM_A_DEGREE * PARALLEL
    matrix = np.zeros((*north.shape, len(FEATURES)), np.float32)
    matrix[..., 0], matrix[..., 1] = pickup, dropoff
    values = (
        assets["pair_min"][pickup, dropoff],
        np.hypot(north, east),
        np.abs(north) + np.abs(east),
        np.arctan2(north, east),
        pickup_lat,
        pickup_lon,
        dropoff_lat,
        dropoff_lon,
    )
    for index, column in enumerate(values, start=5):
        matrix[..., index] = column
    return matrix


def features_with_distance(columns: Columns, assets: Assets) -> FeatureMatrix:
    """Return `features` with the caller's distance in km as one more column."""
    distance = columns["distance_km"].astype(np.float32)
    return np.concatenate([features(columns, assets), distance[:, None]], axis=1)


def calendar(moments: npt.NDArray[np.datetime64]) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return hour of day (fractional), weekday (Monday 0) and month (1 to 12) of local times."""
    moments = moments.astype("M8[s]", copy=False)
    days, seconds = np.divmod(moments.view(np.int64), 86_400)
    hour = seconds / 3600.0
    weekday = (days + 3) % 7  # day 0, 1970-01-01, was a Thursday
    month = moments.astype("M8[M]").view(np.int64) % 12 + 1
    return hour, weekday, month


def _calendar_of_one(moments: npt.NDArray[np.datetime64]) -> tuple[float, int, int] | None:
    """Return `calendar` of a single moment, in a tenth of the time; None beyond the year 9999."""
    moment = moments.astype("M8[s]", copy=False).item()
    if not isinstance(moment, datetime):
        return None
    hour = (moment.hour * 3600 + moment.minute * 60 + moment.second) / 3600.0
    return hour, moment.weekday(), moment.month

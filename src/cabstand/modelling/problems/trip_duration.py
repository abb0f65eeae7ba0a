"""How long a taxi ride takes, told before it starts.

Only what is known before the ride goes in: zones and the time of pick-up. The metered distance is known after it; the
second problem here takes a distance from the caller (a planned route's) and is trained with the metered one instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cabstand.modelling.problem import (
    Assets,
    Candidate,
    Columns,
    Examples,
    FeatureMatrix,
    Field,
    FloatArray,
    Problem,
    Target,
)

N_ZONES = 266  # TLC location IDs are 1 to 265; 0 stands for none
SHRINKAGE = 10.0  # a mean of rides counts this many that know nothing
BANDS_KM = np.array([0.01, *np.geomspace(0.5, 40, 25)])
REACHES_KM = (4.0, 2.0, 0.8)  # how far a neighbour is heard, the farther first
# A city is flat enough: kilometres along the meridian, and along the parallel of 40.7 degrees north.
KM_A_DEGREE = 111.195
PARALLEL = float(np.cos(np.radians(40.7)))

FIELDS = (
    Field("pickup_zone", "integer", "", 1, 265, "TLC taxi zone of the pick-up (LocationID).", example=74),
    Field("dropoff_zone", "integer", "", 1, 265, "TLC taxi zone of the drop-off (LocationID).", example=42),
    Field(
        "pickup_at",
        "timestamp",
        "",
        None,
        None,
        "Pick-up, New York local time, no zone.",
        example="2023-03-01T08:15:00",
    ),
)
DISTANCE = Field(
    "distance_km", "number", "km", 0, 200, "Length of the planned route, as the caller knows it.", example=3.2
)
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
    """Return the features of rides.

    Parameters
    ----------
    columns : mapping
        pickup_zone, dropoff_zone int64 (n,); pickup_at datetime64[s] (n,).
    assets : mapping
        zone_lat, zone_lon float64 (266,) degrees, NaN where unknown; pair_min float32 (266, 266) minutes; or what
        `prepare` makes of these.

    Returns
    -------
    float32 array (n, 13)
        Columns as `FEATURES` names them; hour is fractional, weekday 0 is Monday; NaN where a zone has no place.
    """
    pickup = columns["pickup_zone"].astype(np.int64, copy=False)
    dropoff = columns["dropoff_zone"].astype(np.int64, copy=False)
    table = assets.get("pairs")
    moments = columns["pickup_at"]
    if len(moments) == 1 and table is not None and (of_one := _calendar_of_one(moments)):
        pair = pickup.item() * N_ZONES + dropoff.item()
        matrix = table[pair : pair + 1].copy()
        matrix[0, 2:5] = of_one
        return matrix
    matrix = _of_pairs(pickup, dropoff, assets) if table is None else table.take(pickup * N_ZONES + dropoff, axis=0)
    matrix[:, 2], matrix[:, 3], matrix[:, 4] = calendar(moments)
    return matrix


def prepare(assets: Assets) -> Assets:
    """Return the assets with `pairs`, float32 (266 * 266, 13): the features of every pair of zones, at no time yet."""
    zones = np.arange(N_ZONES)
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
    for place, column in enumerate(values, start=5):
        matrix[..., place] = column
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
    """Return `calendar` of a single moment, in a tenth of the time that arrays take; None beyond the year 9999."""
    moment = moments.astype("M8[s]", copy=False).item()
    if not isinstance(moment, datetime):
        return None
    hour = (moment.hour * 3600 + moment.minute * 60 + moment.second) / 3600.0
    return hour, moment.weekday(), moment.month


def learn(examples: Examples) -> dict[str, npt.NDArray[np.float32]]:
    """Return the minutes to expect between every pair of zones: `pair_min`, float32 (266, 266).

    Four layers, each a mean of what those before it leave over, drawn to zero where rides are few: the distance between
    the two centroids, pairs that begin and end nearby, each zone, and the pair itself. A third of a month's pairs has
    under twenty rides: those are told by their neighbours.
    """
    pair = examples.columns["pickup_zone"].astype(np.int64) * N_ZONES + examples.columns["dropoff_zone"].astype(
        np.int64
    )
    rides = np.bincount(pair, minlength=N_ZONES**2).reshape(N_ZONES, N_ZONES).astype(np.float64)
    km = _apart(examples.assets)
    band = np.digitize(km, BANDS_KM)
    means = np.full((N_ZONES, N_ZONES), float(examples.target.mean()))

    def left() -> FloatArray:
        """Return the sum over each pair's rides of what `means` does not explain yet."""
        over = examples.target - means.ravel()[pair]
        return np.asarray(np.bincount(pair, weights=over, minlength=N_ZONES**2).reshape(N_ZONES, N_ZONES), np.float64)

    by_band = np.bincount(band.ravel(), weights=left().ravel()), np.bincount(band.ravel(), weights=rides.ravel())
    means += (by_band[0] / (by_band[1] + SHRINKAGE))[band]
    for reach in REACHES_KM:
        near = np.exp(-0.5 * np.square(km / reach))
        means += (near @ left() @ near) / (near @ rides @ near + SHRINKAGE)
    for axis in (1, 0):
        means += left().sum(axis, keepdims=True) / (rides.sum(axis, keepdims=True) + SHRINKAGE)
    means += left() / (rides + SHRINKAGE)
    return {"pair_min": means.astype(np.float32)}


def _apart(assets: Assets) -> FloatArray:
    """Return the kilometres between all centroids (266, 266); infinite where a zone has no place."""
    unknown = np.full(N_ZONES, np.nan)
    lat, lon = assets.get("zone_lat", unknown), assets.get("zone_lon", unknown)
    north, east = (lat[:, None] - lat) * KM_A_DEGREE, (lon[:, None] - lon) * KM_A_DEGREE * PARALLEL
    return np.asarray(np.nan_to_num(np.hypot(north, east), nan=np.inf))


def load(paths: Sequence[Path], extras: Mapping[str, Path]) -> Examples:
    """Read canonical trips (Parquet) and, where given, the zones' table."""
    from cabstand.modelling import rides

    return rides.load(paths, extras.get("zones"))


def load_with_distance(paths: Sequence[Path], extras: Mapping[str, Path]) -> Examples:
    """Read canonical trips that have a distance."""
    from cabstand.modelling import rides

    return rides.load(paths, extras.get("zones"), distance=True)


def candidates() -> list[Candidate]:
    """Return the estimators to try: the one-hot linear reference, ridge, random forest, gradient boosting."""
    return _candidates(len(FEATURES))


def candidates_with_distance() -> list[Candidate]:
    """Return the same estimators, told of the distance too."""
    return _candidates(len(FEATURES) + 1)


def _candidates(n_features: int) -> list[Candidate]:
    from cabstand.modelling import estimators
    from cabstand.modelling.coded import CodedRidge

    def reference(seed: int) -> object:
        del seed
        return CodedRidge(coded=(0, 1))

    def ridge(seed: int) -> object:
        del seed
        return CodedRidge(coded=(0, 1, 2, 3), numeric=tuple(range(4, n_features)), alpha=1.0)

    return [
        Candidate("linear-one-hot", reference),
        Candidate("ridge", ridge, {"alpha": 1.0}),
        Candidate("random-forest", estimators.forest, cost=estimators.FOREST_COST),
        *estimators.boosting_search(),
    ]


PROBLEM = Problem(
    name="trip-duration",
    task="regression",
    description="Minutes that a taxi ride takes, from its zones and the time of pick-up, known before the ride.",
    fields=FIELDS,
    target=Target("duration_min", "min", "Minutes from pick-up to drop-off.", minimum=0.0),
    feature_names=FEATURES,
    features=features,
    load=load,
    candidates=candidates,
    metric="mae",
    learn=learn,
    prepare=prepare,
    coverage=0.9,
    extras=("zones",),
)
WITH_DISTANCE = replace(
    PROBLEM,
    name="trip-duration-distance",
    description="Minutes that a taxi ride takes, when the caller also knows the length of the route.",
    fields=(*FIELDS, DISTANCE),
    feature_names=(*FEATURES, "distance_km"),
    features=features_with_distance,
    load=load_with_distance,
    candidates=candidates_with_distance,
)

"""How long a taxi ride takes, told before it starts.

Only what is known before the ride goes in: zones and the time of pick-up. The metered distance is known after it; the
second problem here takes a distance from the caller (a planned route's) and is trained with the metered one instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
PARALLEL = np.cos(np.radians(40.7))  # a degree along New York's parallel, in degrees along a meridian
SHRINKAGE = 10.0  # a pair's mean counts this many rides of its zones' means

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
        zone_lat, zone_lon float64 (266,) degrees, NaN where unknown; pair_min float32 (266, 266) minutes.

    Returns
    -------
    float32 array (n, 13)
        Columns as `FEATURES` names them; hour is fractional, weekday 0 is Monday; NaN where a zone has no place.
    """
    pickup = columns["pickup_zone"].astype(np.int64, copy=False)
    dropoff = columns["dropoff_zone"].astype(np.int64, copy=False)
    hour, weekday, month = calendar(columns["pickup_at"])
    lat, lon = assets["zone_lat"], assets["zone_lon"]
    # A city is flat enough: kilometres along the meridian, and along the parallel of 40.7 degrees north.
    pickup_lat, pickup_lon, dropoff_lat, dropoff_lon = lat[pickup], lon[pickup], lat[dropoff], lon[dropoff]
    north = (dropoff_lat - pickup_lat) * 111.195
    east = (dropoff_lon - pickup_lon) * 111.195 * PARALLEL
    values = (
        pickup,
        dropoff,
        hour,
        weekday,
        month,
        assets["pair_min"][pickup, dropoff],
        np.hypot(north, east),
        np.abs(north) + np.abs(east),
        np.arctan2(north, east),
        pickup_lat,
        pickup_lon,
        dropoff_lat,
        dropoff_lon,
    )
    # Filled in place: for the single row of a request this takes a third of the time of stacking thirteen arrays.
    matrix = np.empty((len(pickup), len(values)), np.float32)
    for place, column in enumerate(values):
        matrix[:, place] = column
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


def learn(examples: Examples) -> dict[str, npt.NDArray[np.float32]]:
    """Return the mean minutes of every zone pair, drawn towards what its two zones tell where rides are few."""
    pickup = examples.columns["pickup_zone"].astype(np.int64)
    dropoff = examples.columns["dropoff_zone"].astype(np.int64)
    minutes = examples.target
    overall = float(minutes.mean())
    by_pickup = _shrunk(pickup, minutes - overall, N_ZONES)
    by_dropoff = _shrunk(dropoff, minutes - overall - by_pickup[pickup], N_ZONES)
    prior = (overall + by_pickup[:, None] + by_dropoff[None, :]).ravel()
    pair = pickup * N_ZONES + dropoff
    means = prior + _shrunk(pair, minutes - prior[pair], N_ZONES**2)
    return {"pair_min": means.reshape(N_ZONES, N_ZONES).astype(np.float32)}


def _shrunk(codes: npt.NDArray[np.int64], values: FloatArray, n: int) -> FloatArray:
    sums = np.bincount(codes, weights=values, minlength=n)
    return np.asarray(sums / (np.bincount(codes, minlength=n) + SHRINKAGE), dtype=np.float64)


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
        Candidate("random-forest", estimators.forest),
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

"""Synthetic trips: planted hotspots, streets, airports, noise, hours, durations; the same for the same seed.

They have the shapes of real trips that the rest of this kit relies on, and known truth to test it against.
They are not New York.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.trips import synth_city as city
from cabstand.trips import synth_ride as ride
from cabstand.trips import synth_time
from cabstand.trips.eras import COORDINATES
from cabstand.trips.schema import KM_PER_MILE, TRIPS, month_start
from cabstand.trips.synth_faults import plant_faults

Floats = npt.NDArray[np.float64]
SCHEMA_VERSION = 1
CHUNK_ROWS = 500_000

RANK_SHARE = 0.45  # of all trips begin at a rank
NOISE_SHARE = 0.06  # begin anywhere, the rest along streets
REPEATED_SHARE = 0.02  # stand at an earlier trip's very coordinates, as stuck receivers do
NEAR_SHARE = 0.8  # end near where they began; from an airport none does
MIN_SAMPLES_SHARE = 5e-4


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes
    ----------
    trips : int
        Rows.
    seed : int
        Same seed, same trips.
    era : str
        `coordinates` or `zones`.
    month : str
        YYYY-MM.
    decimals : int
        Decimals of coordinates; 5 is about a metre, Uber's 4 about ten.
    bad_share : float
        Share of rows spoiled on purpose, for the quarantine to find.
    slowdown : float
        Drift: durations are multiplied by it.
    hotspot_shift_m : float
        Drift: metres that every hotspot moves along its avenue.
    hour_shift : int
        Drift: hours that the city's day moves.
    airport_factor : float
        Drift: weight of the airports, multiplied.
    """

    trips: int
    seed: int = 0
    era: str = COORDINATES
    month: str = "2024-01"
    decimals: int = 5
    bad_share: float = 0.0
    slowdown: float = 1.0
    hotspot_shift_m: float = 0.0
    hour_shift: int = 0
    airport_factor: float = 1.0


class Planted:
    """The truth that is written beside the trips; complete once all batches were made."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rank_trips = np.zeros(len(city.RANKS), np.int64)
        self.bad_rows: dict[str, int] = {}

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able object: each hotspot's centre, weight and rows, and what was spoiled."""
        u, v = _rank_centres(self.plan)
        lat, lon = city.to_degrees(u, v)
        weights = _rank_weights(self.plan) * RANK_SHARE
        return {
            "schema_version": SCHEMA_VERSION,
            "synthetic": True,
            "plan": asdict(self.plan),
            "hotspots": [
                {
                    "name": rank.name,
                    "lat": round(float(lat[k]), 6),
                    "lon": round(float(lon[k]), 6),
                    "weight": float(weights[k]),
                    "n_trips": int(self.rank_trips[k]),
                    "spread_m": rank.spread_m,
                    "profile": rank.profile,
                }
                for k, rank in enumerate(city.RANKS)
            ],
            "bad_rows": self.bad_rows,
            "recommended": recommended(self.plan.trips),
        }


def recommended(trips: int) -> dict[str, float]:
    """Return the clustering parameters that find the planted hotspots among `trips` trips.

    Within 50 m of a street corner lie at most 8e-5 of all trips, of a planted centre at least 7e-3; the threshold
    stands between.
    """
    return {"eps_m": 50.0, "min_samples": max(10, round(MIN_SAMPLES_SHARE * trips))}


def generate(plan: Plan, planted: Planted) -> Iterator[pa.RecordBatch]:
    """Yield the trips in the canonical schema, in rising `row` and very nearly by time.

    Parameters
    ----------
    plan : Plan
        What to make.
    planted : Planted
        Is filled with the truth on the way.
    """
    n_chunks = max(1, -(-plan.trips // CHUNK_ROWS))
    for chunk, seed in enumerate(np.random.SeedSequence(plan.seed).spawn(n_chunks)):
        start = chunk * CHUNK_ROWS
        n = min(CHUNK_ROWS, plan.trips - start)
        rng = np.random.default_rng(seed)
        quantiles = np.sort((start + rng.random(n) * n) / plan.trips)
        batch = _chunk(plan, planted, np.arange(start, start + n, dtype=np.int64), quantiles, rng)
        yield plant_faults(batch, plan.bad_share, planted.bad_rows, rng)


def _chunk(
    plan: Plan, planted: Planted, rows: npt.NDArray[np.int64], quantiles: Floats, rng: np.random.Generator
) -> pa.RecordBatch:
    n = len(rows)
    rank = np.where(rng.random(n) < RANK_SHARE, rng.choice(len(city.RANKS), n, p=_rank_weights(plan)), -1)
    planted.rank_trips += np.bincount(rank[rank >= 0], minlength=len(city.RANKS))
    seconds = _times(plan, rank, quantiles, rng)
    start_u, start_v, start_region = _places(plan, rank, rng)
    end_u, end_v, end_region = _ends(plan, start_u, start_v, start_region, rng)
    miles = ride.miles(np.hypot(end_u - start_u, end_v - start_v), rng)
    ride_s = ride.ride_seconds(plan.slowdown, miles * KM_PER_MILE, seconds, start_region, end_region, rng)
    fare = np.round((3.0 + 1.9 * miles + 0.011 * ride_s) * 2) / 2
    total = np.round(fare * (1 + rng.choice([0.0, 0.18, 0.2, 0.25], n)) + 3.0, 2)
    pickup = month_start(plan.month) + np.floor(seconds).astype("timedelta64[s]")
    columns: dict[str, Any] = {
        "pickup_at": pickup,
        "dropoff_at": pickup + ride_s.astype("timedelta64[s]"),
        "distance_km": miles * KM_PER_MILE,
        "passengers": rng.choice(np.arange(1, 7, dtype=np.int16), n, p=[0.72, 0.15, 0.05, 0.03, 0.03, 0.02]),
        "fare_usd": fare,
        "total_usd": total,
        "row": rows,
    }
    columns |= _where(plan, "pickup", start_u, start_v, start_region, rng)
    columns |= _where(plan, "dropoff", end_u, end_v, end_region, rng)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(n, field.type)
            for field in TRIPS
        ],
        schema=TRIPS,
    )


def _rank_weights(plan: Plan) -> Floats:
    factor = [plan.airport_factor if rank.profile == "airport" else 1.0 for rank in city.RANKS]
    weights = city.rank_weights() * np.array(factor)
    return np.asarray(weights / weights.sum())


def _rank_centres(plan: Plan) -> tuple[Floats, Floats]:
    u = np.array([rank.u for rank in city.RANKS], float) + plan.hotspot_shift_m
    return u, np.array([rank.v for rank in city.RANKS], float)


def _times(plan: Plan, rank: npt.NDArray[np.intp], quantiles: Floats, rng: np.random.Generator) -> Floats:
    profiles = np.array([synth_time.PROFILES.index(place.profile) for place in city.RANKS] + [0])[rank]  # -1: the last
    seconds = np.empty(len(rank))
    for index, name in enumerate(synth_time.PROFILES):
        chosen = profiles == index
        weights = synth_time.hourly(plan.month, name, shift_h=plan.hour_shift)
        seconds[chosen] = synth_time.draw(weights, quantiles[chosen], rng)
    return seconds


def _places(
    plan: Plan, rank: npt.NDArray[np.intp], rng: np.random.Generator
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Positions (u, v in metres) and regions of trips that begin at `rank`, or elsewhere where it is -1."""
    n = len(rank)
    region = rng.choice(len(city.REGIONS), n, p=[area.share for area in city.REGIONS])
    u, v = city.on_streets(region, rng)
    noise = rng.random(n) < NOISE_SHARE / (1 - RANK_SHARE)
    u[noise], v[noise] = city.anywhere(region[noise], rng)
    at = rank >= 0
    centre_u, centre_v = _rank_centres(plan)
    spread = np.array([place.spread_m for place in city.RANKS])[rank[at]]
    u[at] = centre_u[rank[at]] + rng.normal(0.0, spread)
    v[at] = centre_v[rank[at]] + rng.normal(0.0, spread)
    region[at] = np.array([city.region_of(place.u, place.v) for place in city.RANKS])[rank[at]]
    return u, v, region


def _ends(
    plan: Plan, u: Floats, v: Floats, region: npt.NDArray[np.intp], rng: np.random.Generator
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Positions and regions where the trips end: most within their own region, near the start; some across the city."""
    n = len(u)
    rank = np.where(rng.random(n) < RANK_SHARE, rng.choice(len(city.RANKS), n, p=_rank_weights(plan)), -1)
    far_u, far_v, far_region = _places(plan, rank, rng)
    reach = rng.gamma(2.0, 900.0, n)
    near_u, near_v = city.within(u + rng.normal(0.0, reach), v + rng.normal(0.0, reach), region)
    is_near = (rng.random(n) < NEAR_SHARE) & np.array([area.zones_u > 1 for area in city.REGIONS])[region]
    return np.where(is_near, near_u, far_u), np.where(is_near, near_v, far_v), np.where(is_near, region, far_region)


def _where(
    plan: Plan, end: str, u: Floats, v: Floats, region: npt.NDArray[np.intp], rng: np.random.Generator
) -> dict[str, Any]:
    if plan.era != COORDINATES:
        return {f"{end}_zone": city.zone_of(u, v, region)}
    lat, lon = (np.round(degrees, plan.decimals) for degrees in city.to_degrees(u, v))
    stuck = np.flatnonzero(rng.random(len(u)) < REPEATED_SHARE)
    earlier = (stuck * rng.random(len(stuck))).astype(np.intp)
    lat[stuck], lon[stuck] = lat[earlier], lon[earlier]
    return {f"{end}_lat": lat, f"{end}_lon": lon}

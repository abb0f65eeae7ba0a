"""Generate synthetic trips with planted hotspots; the same plan and seed give the same trips.

They share with real trips what the rest of this kit relies on: hotspots, streets, airports, noise, hours and durations.
The city is made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.trips.eras import COORDINATES
from cabstand.trips.schema import KM_PER_MILE, TRIPS
from cabstand.trips.synthetic import city, rides
from cabstand.trips.synthetic.city import RANKS, REGIONS, Floats, Indices, Positions
from cabstand.trips.synthetic.faults import plant_faults

SCHEMA_VERSION = 1
CHUNK_ROWS = 500_000

RANK_SHARE = 0.45  # share of all trips that begin at a rank
NOISE_SHARE = 0.06  # share that begin anywhere; the rest begin along streets
REPEATED_SHARE = 0.02  # share with exactly an earlier trip's coordinates, as from a stuck receiver
NEAR_SHARE = 0.8  # share that end near where they began; from an airport none do
MIN_SAMPLES_SHARE = 5e-4


@dataclass(frozen=True)
class Plan:
    """What to generate."""

    trips: int
    seed: int = 0
    era: str = COORDINATES
    month: str = "2024-01"
    decimals: int = 5  # of coordinates: 5 is about a metre, Uber's 4 about ten
    bad_share: float = 0.0  # share of rows to spoil for the quarantine
    # Drift:
    slowdown: float = 1.0  # factor on durations
    hotspot_shift_m: float = 0.0  # metres that every hotspot moves along its avenue
    hour_shift: int = 0  # hours by which the city's day moves
    airport_factor: float = 1.0  # factor on the weight of the airports


class Planted:
    """The ground truth of generated trips; complete once every batch has been generated."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rank_trips = np.zeros(len(RANKS), np.int64)
        self.bad_rows: dict[str, int] = {}

    def as_dict(self) -> dict[str, Any]:
        """Return each hotspot's centre, weight and trips, and the number of spoiled rows, as a JSON-able object."""
        lat, lon = city.to_degrees(*_rank_centres(self.plan))
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
                for k, rank in enumerate(RANKS)
            ],
            "bad_rows": self.bad_rows,
            "recommended": recommended(self.plan.trips),
        }


def recommended(trips: int) -> dict[str, float]:
    """Return clustering parameters that find the planted hotspots among `trips` trips.

    At most 8e-5 of all trips lie within 50 m of a street corner, and at least 7e-3 within 50 m of a planted centre; the
    threshold is between the two.
    """
    return {"eps_m": 50.0, "min_samples": max(10, round(MIN_SAMPLES_SHARE * trips))}


def generate(plan: Plan, planted: Planted) -> Iterator[pa.RecordBatch]:
    """Yield batches in the canonical schema, with `row` rising and times nearly so, and fill in `planted`."""
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
    rank = _ranks(plan, n, rng)
    planted.rank_trips += np.bincount(rank[rank >= 0], minlength=len(RANKS))
    seconds = _times(plan, rank, quantiles, rng)
    start = _starts(plan, rank, rng)
    end = _ends(plan, start, rng)
    miles = rides.miles(np.hypot(end.u - start.u, end.v - start.v), rng)
    ride_s = rides.duration_s(plan.slowdown, miles * KM_PER_MILE, seconds, (start.region, end.region), rng)
    fare = np.round((3.0 + 1.9 * miles + 0.011 * ride_s) * 2) / 2
    pickup = np.datetime64(plan.month, "us") + np.floor(seconds).astype("timedelta64[s]")
    columns: dict[str, Any] = {
        "pickup_at": pickup,
        "dropoff_at": pickup + ride_s.astype("timedelta64[s]"),
        "distance_km": miles * KM_PER_MILE,
        "fare_usd": fare,
        "total_usd": np.round(fare * (1 + rng.choice([0.0, 0.18, 0.2, 0.25], n)) + 3.0, 2),
        "passengers": rng.choice(np.arange(1, 7, dtype=np.int16), n, p=[0.72, 0.15, 0.05, 0.03, 0.03, 0.02]),
        "row": rows,
    }
    columns |= _location(plan, "pickup", start, rng) | _location(plan, "dropoff", end, rng)
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type) for f in TRIPS]
    return pa.RecordBatch.from_arrays(arrays, schema=TRIPS)


def _rank_weights(plan: Plan) -> Floats:
    factor = np.array([plan.airport_factor if rank.profile == "airport" else 1.0 for rank in RANKS])
    usual = np.array([rank.weight for rank in RANKS])
    weights = usual / usual.sum() * factor
    return np.asarray(weights / weights.sum())


def _rank_centres(plan: Plan) -> tuple[Floats, Floats]:
    u = np.array([rank.u for rank in RANKS], float) + plan.hotspot_shift_m
    return u, np.array([rank.v for rank in RANKS], float)


def _ranks(plan: Plan, n: int, rng: np.random.Generator) -> Indices:
    """Draw the rank of each of n trips, -1 for those at none."""
    return np.where(rng.random(n) < RANK_SHARE, rng.choice(len(RANKS), n, p=_rank_weights(plan)), -1)


def _times(plan: Plan, rank: Indices, quantiles: Floats, rng: np.random.Generator) -> Floats:
    """Draw seconds since the month began."""
    of_rank = [rides.PROFILES.index(rank.profile) for rank in RANKS]
    profiles = np.array([*of_rank, rides.PROFILES.index("city")])[rank]  # rank -1 takes the last
    seconds = np.empty(len(rank))
    for index, name in enumerate(rides.PROFILES):
        chosen = profiles == index
        weights = rides.hourly(plan.month, name, shift_h=plan.hour_shift)
        seconds[chosen] = rides.draw(weights, quantiles[chosen], rng)
    return seconds


def _starts(plan: Plan, rank: Indices, rng: np.random.Generator) -> Positions:
    """Draw positions of trips that begin at `rank`, or elsewhere where it is -1."""
    n = len(rank)
    region = rng.choice(len(REGIONS), n, p=[area.share for area in REGIONS])
    u, v = city.on_streets(region, rng)
    noise = rng.random(n) < NOISE_SHARE / (1 - RANK_SHARE)
    u[noise], v[noise] = city.anywhere(region[noise], rng)
    at_rank = rank >= 0
    chosen = rank[at_rank]
    centre_u, centre_v = _rank_centres(plan)
    spread = np.array([rank.spread_m for rank in RANKS])[chosen]
    u[at_rank] = centre_u[chosen] + rng.normal(0.0, spread)
    v[at_rank] = centre_v[chosen] + rng.normal(0.0, spread)
    region[at_rank] = np.array([city.region_of(rank.u, rank.v) for rank in RANKS])[chosen]
    return Positions(u, v, region)


def _ends(plan: Plan, start: Positions, rng: np.random.Generator) -> Positions:
    """Draw positions where trips end: mostly near the start and in its region, some across the city."""
    n = len(start.u)
    far = _starts(plan, _ranks(plan, n, rng), rng)
    reach = rng.gamma(2.0, 900.0, n)
    near_u, near_v = city.within(start.u + rng.normal(0.0, reach), start.v + rng.normal(0.0, reach), start.region)
    has_streets = np.array([area.zones_u > 1 for area in REGIONS])[start.region]
    is_near = (rng.random(n) < NEAR_SHARE) & has_streets
    return Positions(
        np.where(is_near, near_u, far.u), np.where(is_near, near_v, far.v), np.where(is_near, start.region, far.region)
    )


def _location(plan: Plan, end: str, at: Positions, rng: np.random.Generator) -> dict[str, Any]:
    """Return the columns that say where a trip began or ended, as the plan's era does."""
    if plan.era != COORDINATES:
        return {f"{end}_zone": city.zone_of(at)}
    lat, lon = (np.round(degrees, plan.decimals) for degrees in city.to_degrees(at.u, at.v))
    stuck = np.flatnonzero(rng.random(len(lat)) < REPEATED_SHARE)
    earlier = (stuck * rng.random(len(stuck))).astype(np.intp)
    lat[stuck], lon[stuck] = lat[earlier], lon[earlier]
    return {f"{end}_lat": lat, f"{end}_lon": lon}

"""Demo: the main job end to end on synthetic trips: make them, cluster, compare engines, sweep, report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand import log
from cabstand.jobs import cluster, compare, report, sweep, synth
from cabstand.settings import Settings
from cabstand.trips.synth import Plan, recommended

# Small enough for a laptop's patience, large enough that scikit-learn's neighbour lists are felt.
TRIPS = 500_000
SIZES = (5_000, 20_000)


@dataclass(frozen=True)
class Params:
    """How large a demonstration.

    Attributes
    ----------
    trips : int
        Synthetic trips to make.
    seed : int
        Same seed, same trips.
    repeats : int
        Trials of each engine and size.
    """

    trips: int = TRIPS
    seed: int = 1
    repeats: int = 5


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the whole of it; a part that is there already is not made again.

    Raises
    ------
    CabstandError
        As the jobs it runs.
    """
    plan = Plan(trips=params.trips, seed=params.seed, era="coordinates", bad_share=0.01)
    advised = recommended(params.trips)
    eps_m, min_samples = advised["eps_m"], int(advised["min_samples"])
    with log.progress("demo", 5) as advance:
        made = synth.run(settings, synth.Params(plan))
        advance(1)
        trips = made["trips_uri"]
        found = cluster.run(settings, cluster.Params(trips, eps_m=eps_m, min_samples=min_samples))
        advance(1)
        sizes = [size for size in (*SIZES, params.trips) if size <= found["n_points"]]
        compared = compare.run(settings, compare.Params(trips, sizes=sizes, repeats=params.repeats, memory_gib=2.0))
        advance(1)
        swept = sweep.run(settings, sweep.Params(trips))
        advance(1)
        page = report.run(settings, report.Params())
        advance(1)
    return page | {
        "trips_uri": trips,
        "n_points": found["n_points"],
        "n_clusters": found["n_clusters"],
        "agree": compared["agree"],
        "suggested_eps_m": swept["suggested_eps_m"],
    }

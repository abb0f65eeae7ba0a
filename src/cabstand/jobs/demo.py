"""Demo: the main jobs end to end on synthetic trips: generate, sweep, cluster, compare engines, train, show it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand import log
from cabstand.io import pointer
from cabstand.jobs import cluster, compare, promote, report, site, sweep, synth, train
from cabstand.settings import Settings
from cabstand.trips import eras
from cabstand.trips.synthetic.generator import Plan, recommended

# Small enough for a few minutes on a laptop, large enough that scikit-learn's neighbour lists cost something.
TRIPS = 500_000
SIZES = (5_000, 20_000)
MODEL_TRIPS = 20_000
RIDES = "synth-rides"  # the data set that the model is trained on
PROBLEM = "trip-duration"


@dataclass(frozen=True)
class Params:
    """The size of the demo."""

    trips: int = TRIPS
    seed: int = 1
    repeats: int = 5


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run every part that has no result yet."""
    plan = Plan(trips=params.trips, seed=params.seed, era="coordinates", bad_share=0.01)
    with log.progress("demo", 6) as advance:
        trips = synth.run(settings, synth.Params(plan))["trips_uri"]
        advance(1)
        swept = sweep.run(settings, sweep.Params(trips, k=None))
        advance(1)
        advised = swept["best"] or recommended(params.trips)  # too few trips may have no best pair
        eps_m, min_samples = advised["eps_m"], int(advised["min_samples"])
        found = cluster.run(settings, cluster.Params(trips, eps_m=eps_m, min_samples=min_samples))
        advance(1)
        sizes = [size for size in (*SIZES, params.trips) if size <= found["n_points"]]
        compared = compare.run(settings, compare.Params(trips, sizes=sizes, repeats=params.repeats, memory_gib=2.0))
        advance(1)
        champion = ensure_champion(settings, params.seed, found["index_uri"])
        advance(1)
        page = report.run(settings, report.Params())
        shown = site.run(settings, site.Params())
        advance(1)
    return page | {
        "site_page_uri": shown["index_uri"],
        "home": str(settings.home),
        "trips_uri": trips,
        "n_points": found["n_points"],
        "n_clusters": found["n_clusters"],
        "eps_m": eps_m,
        "min_samples": min_samples,
        "agree": compared["agree"],
        "suggested_eps_m": swept["suggested_eps_m"],
        "champion": champion,
    }


def ensure_champion(settings: Settings, seed: int, hotspots: str) -> str:
    """Return the champion; where there is none, train and promote a small model of synthetic rides between zones."""
    current, _ = pointer.read(settings.artifacts_uri, PROBLEM)
    if current is not None:
        return current.champion
    plan = Plan(trips=MODEL_TRIPS, seed=seed, era=eras.ZONES)
    rides = synth.run(settings, synth.Params(plan, RIDES))["trips_uri"]
    made = train.run(settings, train.Params(PROBLEM, (rides,), hotspots=hotspots, seed=seed))
    why = "the demo's model, of synthetic trips"
    return str(promote.run(settings, promote.Params(PROBLEM, made["model_version"], why=why))["champion"])

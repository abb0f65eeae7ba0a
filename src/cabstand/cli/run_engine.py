"""Choose the engine of `cabstand cluster`, and run the job for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cabstand.errors import ConfigError
from cabstand.trips.eras import COORDINATES

if TYPE_CHECKING:
    from cabstand.jobs import cluster as single
    from cabstand.settings import Settings


def choose(settings: Settings, params: single.Params, scheduler: str | None) -> tuple[single.Params, float | None]:
    """Return the parameters with the engine that suits the input, and the memory of each Dask worker in GiB."""
    from cabstand.jobs import plan

    if scheduler is not None:
        return replace(params, engine="dask", engine_reason="--scheduler is given"), None
    by_zone = params.era not in {None, COORDINATES}
    if by_zone or params.weight_column is not None or params.max_spread_m is not None:  # not for Dask's workers
        return params, None
    question = plan.Params(
        params.input,
        params.eps_m,
        params.min_samples,
        n_workers=params.n_workers,
        end=params.end,
        named=params.named,
        era=params.era,
    )
    found = plan.choose(settings, question)
    if found is None:
        return params, None
    worker_memory_gib = None if found.worker_mb is None else found.worker_mb / 1024
    chosen = replace(params, engine=found.engine, n_workers=found.n_workers, engine_reason=found.reason)
    return chosen, worker_memory_gib


def run(settings: Settings, params: single.Params, **dask_options: Any) -> dict[str, Any]:
    """Run the job for the engine: distributed for Dask, in this process for the others."""
    from cabstand.clustering import engines
    from cabstand.jobs import cluster as single

    name, _, count = params.engine.partition(":")
    if name != "dask":
        if params.engine != engines.AUTO:
            engines.named(name.strip(), others=("dask", engines.AUTO))
        return single.run(settings, params)
    if count and not (count.isdecimal() and int(count) > 0):
        raise ConfigError(f"workers must be a whole number of 1 or more, not {count!r}", where="engine")
    if params.weight_column is not None:
        raise ConfigError("the dask engine does not support weights", where="weight-column", hint="use --engine auto")
    if params.max_spread_m is not None:
        raise ConfigError("the dask engine does not divide hotspots", where="max-spread-m", hint="use --engine auto")
    from cabstand.jobs import cluster_dask as distributed  # with Dask and pandas, which no other engine needs

    distributed_params = distributed.Params(
        input=params.input,
        eps_m=params.eps_m,
        min_samples=params.min_samples,
        n_workers=engines.named("multicore").workers(int(count) if count else params.n_workers),
        end=params.end,
        named=params.named,
        era=params.era,
        out=params.out,
        track=params.track,
        dry_run=params.dry_run,
        **dask_options,
    )
    return distributed.run(settings, distributed_params) | {"engine_reason": params.engine_reason}

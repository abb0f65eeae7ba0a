"""Commands that cluster and plan a run, and start its workers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import (
    Dropoffs,
    DryRun,
    Eps,
    Era,
    Input,
    Lake,
    LatColumn,
    LonColumn,
    MinSamples,
    TimeColumn,
    Track,
    Weight,
    Workers,
    end_of,
)
from cabstand.errors import ConfigError
from cabstand.trips.columns import Named

if TYPE_CHECKING:
    from cabstand.jobs import cluster as single
    from cabstand.settings import Settings

Engine = Annotated[str, typer.Option(help="sequential, multicore, dask, sklearn, or auto (the one `plan` recommends).")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask: scheduler address, or `ecs` to start worker tasks for this run.")
]
WorkerMemory = Annotated[float | None, typer.Option(min=0.5, help="Dask: memory limit of each worker, in GiB.")]
Blocks = Annotated[int | None, typer.Option(min=1, help="Dask: number of spatial blocks; default: as memory requires.")]

app = typer.Typer()


@app.command()
def cluster(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    engine: Engine = "multicore",
    workers: Workers = None,
    weight_column: Weight = None,
    max_spread_m: Annotated[
        float | None,
        typer.Option(help="Divide hotspots that spread further (root mean square) into their densest parts."),
    ] = None,
    dropoffs: Dropoffs = False,
    lat_column: LatColumn = None,
    lon_column: LonColumn = None,
    time_column: TimeColumn = None,
    era: Era = None,
    scheduler: Scheduler = None,
    worker_memory_gib: WorkerMemory = None,
    blocks: Blocks = None,
    out: Annotated[str | None, typer.Option(help="Output folder, instead of one in the lake.")] = None,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Find hotspots with exact DBSCAN. Writes labels, hotspots and core points."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.cluster import Params

    params = Params(
        input=input_uri, eps_m=eps_m, min_samples=min_samples, engine=engine, n_workers=workers,
        end=end_of(dropoffs=dropoffs), named=Named(lat_column, lon_column, time_column), era=era,
        weight_column=weight_column, max_spread_m=max_spread_m, out=out, track=track, dry_run=dry_run,
    )  # fmt: skip
    if engine == "auto":
        params, planned_gib = _plan_engine(settings, params)
        worker_memory_gib = planned_gib if worker_memory_gib is None else worker_memory_gib
    emit(_run_engine(settings, params, scheduler=scheduler, worker_memory_gib=worker_memory_gib, n_blocks=blocks))


def _plan_engine(settings: Settings, params: single.Params) -> tuple[single.Params, float | None]:
    """Return the parameters with the engine that `plan` picks, and the memory of each worker in GiB."""
    from cabstand.jobs import plan

    question = plan.Params(
        params.input,
        params.eps_m,
        params.min_samples,
        n_workers=params.n_workers,
        end=params.end,
        named=params.named,
        era=params.era,
    )
    best = plan.choose(settings, question)
    worker_memory_gib = None if best.worker_mb is None else best.worker_mb / 1024
    return replace(params, engine=best.engine, n_workers=best.n_workers), worker_memory_gib


def _run_engine(settings: Settings, params: single.Params, **dask_options: Any) -> dict[str, Any]:
    """Run the job for the engine: distributed for Dask, in this process for the others."""
    from cabstand.clustering import engines
    from cabstand.jobs import cluster as single
    from cabstand.jobs import cluster_dask as distributed

    name, _, count = params.engine.partition(":")
    if name != "dask":
        engines.named(name.strip(), others=("dask", "auto"))
        return single.run(settings, params)
    if count and not (count.isdecimal() and int(count) > 0):
        raise ConfigError(f"workers must be a whole number of 1 or more, not {count!r}", where="engine")
    if params.weight_column is not None:
        raise ConfigError(
            "the dask engine does not support weights", where="weight-column", hint="use --engine multicore"
        )
    if params.max_spread_m is not None:
        raise ConfigError(
            "the dask engine does not divide hotspots", where="max-spread-m", hint="use --engine multicore"
        )
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
    return distributed.run(settings, distributed_params)


@app.command()
def plan(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    memory_gib: Annotated[
        float | None, typer.Option(min=0.1, help="Memory to use in GiB; default: 80 % of free memory.")
    ] = None,
    workers: Workers = None,
    dropoffs: Dropoffs = False,
    lat_column: LatColumn = None,
    lon_column: LonColumn = None,
    time_column: TimeColumn = None,
    era: Era = None,
    lake: Lake = None,
) -> None:
    """Predict the time and memory of each engine. Recommends an engine, workers and a task size."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.plan import Params, run

    params = Params(
        input=input_uri, eps_m=eps_m, min_samples=min_samples, memory_gib=memory_gib, n_workers=workers,
        end=end_of(dropoffs=dropoffs), named=Named(lat_column, lon_column, time_column), era=era,
    )  # fmt: skip
    emit(run(settings, params))


@app.command()
def dask_worker(
    n_workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one per CPU.")] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory per process, such as 3GiB; auto: its share.")] = "auto",
) -> None:
    """Run a Dask worker until its scheduler ends. Distributed runs start this in their tasks."""
    from cabstand.jobs import dask_worker as job

    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))

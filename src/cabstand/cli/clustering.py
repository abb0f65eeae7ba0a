"""Commands that cluster and plan a run, and start its workers."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand import activity
from cabstand.cli import run_engine
from cabstand.cli.common import emit, input_of, load_settings
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
    finite,
)
from cabstand.trips.columns import Named

Engine = Annotated[
    str, typer.Option(help="auto (by points, cores and memory), sequential, multicore, dask or sklearn.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask: scheduler address, or `ecs` to start worker tasks for this run.")
]
# Their ranges are checked by the job: shown here, they leave too little room for the longest name at 80 columns.
WorkerMemory = Annotated[float | None, typer.Option(help="Dask: memory limit of each worker, in GiB.")]
Blocks = Annotated[int | None, typer.Option(help="Dask: number of spatial blocks; default: as memory requires.")]

app = typer.Typer()


@app.command()
def cluster(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    engine: Engine = "auto",
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
        input=input_of(settings, input_uri), eps_m=eps_m, min_samples=min_samples, engine=engine, n_workers=workers,
        end=end_of(dropoffs=dropoffs), named=Named(lat_column, lon_column, time_column), era=era,
        weight_column=weight_column, max_spread_m=max_spread_m, out=out, track=track, dry_run=dry_run,
    )  # fmt: skip
    if engine == "auto":
        params, planned_gib = run_engine.choose(settings, params, scheduler)
        worker_memory_gib = planned_gib if worker_memory_gib is None else worker_memory_gib
    emit(run_engine.run(settings, params, scheduler=scheduler, worker_memory_gib=worker_memory_gib, n_blocks=blocks))


@app.command()
def plan(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    memory_gib: Annotated[
        float | None, typer.Option(callback=finite, min=0.1, help="Memory to use in GiB; default: 80 % of free memory.")
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
        input=input_of(settings, input_uri), eps_m=eps_m, min_samples=min_samples, memory_gib=memory_gib,
        n_workers=workers, end=end_of(dropoffs=dropoffs), named=Named(lat_column, lon_column, time_column), era=era,
    )  # fmt: skip
    emit(run(settings, params))


@app.command()
def dask_worker(
    n_workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one per CPU.")] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory per process, such as 3GiB; auto: its share.")] = "auto",
) -> None:
    """Run a Dask worker until its scheduler ends. Distributed runs start this in their tasks."""
    from cabstand.jobs import dask_worker as job

    activity.stop()  # the worker has a log of its own
    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))

"""Commands that cluster, compare engines, sweep parameters and plan a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cabstand import activity
from cabstand.cli import run_engine
from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import Dropoffs, DryRun, Eps, Input, Lake, MinSamples, SamplingSeed, Track, Weight, Workers
from cabstand.errors import ConfigError, TaskError

if TYPE_CHECKING:
    from cabstand.clustering.columns import End

Engine = Annotated[
    str, typer.Option(help="auto (by points, cores and memory), sequential, multicore, dask or sklearn.")
]
SweepEngine = Annotated[str, typer.Option(help="sequential, multicore or sklearn.")]
Engines = Annotated[str, typer.Option(help="Comma-separated: engine, or engine:workers.")]
Sizes = Annotated[str, typer.Option(help="Comma-separated numbers of points; default: 1/4, 1/2, all.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask: scheduler address, or `ecs` to start worker tasks for this run.")
]
# Their ranges are checked by the job: shown here, they leave too little room for the longest name at 80 columns.
WorkerMemory = Annotated[float | None, typer.Option(help="Dask: memory limit of each worker, in GiB.")]
Blocks = Annotated[int | None, typer.Option(help="Dask: number of spatial blocks; default: as memory requires.")]
MemoryLimit = Annotated[
    float | None, typer.Option(help="Memory limit per engine in GiB; default: 80 % of free memory.")
]
Number = TypeVar("Number", int, float)

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
        input=input_uri,
        eps_m=eps_m,
        min_samples=min_samples,
        engine=engine,
        n_workers=workers,
        end=_end(dropoffs),
        weight_column=weight_column,
        max_spread_m=max_spread_m,
        out=out,
        track=track,
        dry_run=dry_run,
    )
    if engine == "auto":
        params, planned_gib = run_engine.choose(settings, params, scheduler)
        worker_memory_gib = planned_gib if worker_memory_gib is None else worker_memory_gib
    emit(run_engine.run(settings, params, scheduler=scheduler, worker_memory_gib=worker_memory_gib, n_blocks=blocks))


@app.command()
def compare(
    input_uri: Input,
    engines: Engines = "sequential,multicore,sklearn",
    sizes: Sizes = "",
    repeats: Annotated[int, typer.Option(help="Trials per engine and size.")] = 5,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    workers: Workers = None,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    memory_gib: MemoryLimit = None,
    seed: SamplingSeed = 0,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Compare engines on the same points. Reports time, memory, agreement and statistical significance."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.compare import Params, run

    params = Params(
        input=input_uri,
        engines=engines.split(","),
        sizes=_numbers(sizes, int, "--sizes"),
        repeats=repeats,
        eps_m=eps_m,
        min_samples=min_samples,
        n_workers=workers,
        end=_end(dropoffs),
        weight_column=weight_column,
        memory_gib=memory_gib,
        seed=seed,
        track=track,
        dry_run=dry_run,
    )
    result = run(settings, params)
    emit(result)
    if not result.get("agree", True):
        raise TaskError("the engines do not agree", where=result["report_uri"], hint="see `checks` there")


@app.command()
def sweep(
    input_uri: Input,
    eps_m: Annotated[str, typer.Option(help="Comma-separated neighbourhood radii in metres.")] = "25,50,75,100,150,200",
    min_samples: Annotated[
        str,
        typer.Option(help="Comma-separated thresholds for a core point; default: five by number of points."),
    ] = "",
    engine: SweepEngine = "multicore",
    workers: Workers = None,
    k: Annotated[
        int | None, typer.Option(help="Neighbour that the k-distance curve measures; default: the best min_samples.")
    ] = None,
    sample: Annotated[int, typer.Option(help="Points to sample for silhouette and k-distance.")] = 2000,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    seed: SamplingSeed = 0,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Try every pair of eps and min_samples. Recommends the best pair whose clusters do not chain together."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.sweep import Params, run

    params = Params(
        input=input_uri,
        eps_m=_numbers(eps_m, float, "--eps-m"),
        min_samples=_numbers(min_samples, int, "--min-samples") or None,
        engine=engine,
        n_workers=workers,
        k=k,
        sample=sample,
        end=_end(dropoffs),
        weight_column=weight_column,
        seed=seed,
        track=track,
        dry_run=dry_run,
    )
    emit(run(settings, params))


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
    lake: Lake = None,
) -> None:
    """Predict the time and memory of each engine. Recommends an engine, workers and a task size."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.plan import Params, run

    emit(run(settings, Params(input_uri, eps_m, min_samples, memory_gib, workers, _end(dropoffs))))


@app.command()
def dask_worker(
    n_workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one per CPU.")] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory per process, such as 3GiB; auto: its share.")] = "auto",
) -> None:
    """Run a Dask worker until its scheduler ends. Distributed runs start this in their tasks."""
    from cabstand.jobs import dask_worker as job

    activity.stop()  # the worker has a log of its own
    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))


def _end(dropoffs: bool) -> End:
    return "dropoff" if dropoffs else "pickup"


def _numbers(text: str, kind: Callable[[str], Number], option: str) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"expected comma-separated numbers, got {text!r}", where=option) from None

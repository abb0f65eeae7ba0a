"""Commands that cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError, TaskError
from cabstand.settings import Settings

if TYPE_CHECKING:
    from cabstand.clustering.planner import Prediction

Input = Annotated[
    str,
    typer.Option(
        "--input", help="URI, glob or folder: trips as `ingest` writes them, or Parquet or CSV with lat and lon."
    ),
]
Eps = Annotated[float, typer.Option("--eps-m", help="Radius of a neighbourhood in metres.")]
MinSamples = Annotated[int, typer.Option("--min-samples", help="Points, or weight, that make a core point.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Threads or processes; one a core by default.")]
Dropoffs = Annotated[bool, typer.Option("--dropoffs/--pickups", help="Which end of the trips.")]
Lake = Annotated[str | None, typer.Option("--lake", help="URI or path of the lake.")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Log the run to MLflow.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]
Engine = Annotated[str, typer.Option("--engine", help="sequential, multicore or sklearn.")]
AnyEngine = Annotated[
    str, typer.Option("--engine", help="sequential, multicore, dask or sklearn; auto is what `plan` picks.")
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Dask: address of a scheduler, or `ecs`: worker tasks of its own."),
]
WorkerMemory = Annotated[
    float | None, typer.Option("--worker-memory-gib", min=0.5, help="Dask: what each worker may use.")
]
Blocks = Annotated[int | None, typer.Option("--blocks", min=1, help="Dask: blocks of space; by memory by default.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the points drawn.")]
Number = TypeVar("Number", int, float)
Weight = Annotated[str | None, typer.Option("--weight-column", help="Column of weights.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("cluster")(cluster)
    app.command("compare")(compare)
    app.command("sweep")(sweep)


def cluster(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    engine: AnyEngine = "multicore",
    workers: Workers = None,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    scheduler: Scheduler = None,
    worker_memory_gib: WorkerMemory = None,
    blocks: Blocks = None,
    out: Annotated[str | None, typer.Option("--out", help="Folder for the result, instead of one in the lake.")] = None,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Find the hotspots of trips: exact DBSCAN, one row a cluster, labels and core points."""
    settings = load_settings(lake=lake)
    from cabstand.clustering import engines
    from cabstand.jobs import cluster as single
    from cabstand.jobs import cluster_dask

    end: End = "dropoff" if dropoffs else "pickup"
    if engine == "auto":
        planned = _planned(settings, input_uri, eps_m, min_samples, workers, end)
        engine, workers = planned.engine, planned.n_workers
        if worker_memory_gib is None and planned.worker_mb is not None:
            worker_memory_gib = planned.worker_mb / 1024
    shared: dict[str, Any] = {"input": input_uri, "eps_m": eps_m, "min_samples": min_samples, "end": end}
    shared |= {"out": out, "track": track, "dry_run": dry_run}
    name, _, asked = engine.partition(":")
    if name == "dask":
        _refuse_weights(weight_column)
        shared |= {"scheduler": scheduler, "worker_memory_gib": worker_memory_gib, "n_blocks": blocks}
        emit(cluster_dask.run(settings, cluster_dask.Params(n_workers=_workers(asked, workers), **shared)))
        return
    engines.named(name.strip(), others=("dask", "auto"))
    params = single.Params(engine=engine, n_workers=workers, weight_column=weight_column, **shared)
    emit(single.run(settings, params))


def _planned(
    settings: Settings, input_uri: str, eps_m: float, min_samples: int, workers: int | None, end: End
) -> Prediction:
    from cabstand.jobs import plan

    return plan.choose(settings, plan.Params(input_uri, eps_m, min_samples, n_workers=workers, end=end))


def _workers(asked: str, option: int | None) -> int:
    from cabstand.clustering.engines import available_cores

    if asked and not (asked.isdecimal() and int(asked) > 0):
        raise ConfigError(f"workers must be a whole number of 1 or more, not {asked!r}", where="engine")
    n_workers = int(asked) if asked else option if option is not None else available_cores()
    if n_workers < 1:
        raise ConfigError(f"workers must be 1 or more, not {n_workers}", where="workers")
    return n_workers


def _refuse_weights(column: str | None) -> None:
    if column is not None:
        raise ConfigError("the dask engine takes no weights", where="weight-column", hint="use --engine multicore")


def compare(
    input_uri: Input,
    engines: Annotated[
        str, typer.Option("--engines", help="With commas; engine or engine:workers.")
    ] = "sequential,multicore,sklearn",
    sizes: Annotated[
        str, typer.Option("--sizes", help="Points, with commas; a quarter, a half and all by default.")
    ] = "",
    repeats: Annotated[int, typer.Option("--repeats", help="Trials of each engine and size.")] = 5,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    workers: Workers = None,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    memory_gib: Annotated[
        float | None, typer.Option("--memory-gib", help="Memory an engine may take; 80 % of what is free by default.")
    ] = None,
    seed: Seed = 0,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Measure engines against each other on the same points: time, memory, agreement, and how sure all that is."""
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
        end="dropoff" if dropoffs else "pickup",
        weight_column=weight_column,
        memory_gib=memory_gib,
        seed=seed,
        track=track,
        dry_run=dry_run,
    )
    emit(result := run(settings, params))
    if not result.get("agree", True):
        raise TaskError("the engines do not agree", where=result["report_uri"], hint="see its checks")


def sweep(
    input_uri: Input,
    eps_m: Annotated[str, typer.Option("--eps-m", help="Radii in metres, with commas.")] = "25,50,75,100,150,200",
    min_samples: Annotated[
        str, typer.Option("--min-samples", help="Points that make a core point, with commas.")
    ] = "10,20,50,100,200",
    engine: Engine = "multicore",
    workers: Workers = None,
    k: Annotated[int, typer.Option("--k", help="Neighbour of the k-distance curve.")] = 20,
    sample: Annotated[int, typer.Option("--sample", help="Points for the silhouette and the curve.")] = 2000,
    weight_column: Weight = None,
    dropoffs: Dropoffs = False,
    seed: Seed = 0,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Try every pair of eps and min_samples, and suggest an eps by the knee of the k-distance curve."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.sweep import Params, run

    params = Params(
        input=input_uri,
        eps_m=_numbers(eps_m, float, "--eps-m"),
        min_samples=_numbers(min_samples, int, "--min-samples"),
        engine=engine,
        n_workers=workers,
        k=k,
        sample=sample,
        end="dropoff" if dropoffs else "pickup",
        weight_column=weight_column,
        seed=seed,
        track=track,
        dry_run=dry_run,
    )
    emit(run(settings, params))


def _numbers(text: str, kind: Callable[[str], Number], option: str) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"not numbers with commas between: {text!r}", where=option) from None

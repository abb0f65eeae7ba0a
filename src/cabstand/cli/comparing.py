"""Commands that compare engines and sweep parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

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
    SamplingSeed,
    TimeColumn,
    Track,
    Weight,
    Workers,
    end_of,
)
from cabstand.errors import ConfigError, TaskError
from cabstand.trips.columns import Named

SweepEngine = Annotated[str, typer.Option(help="sequential, multicore or sklearn.")]
Engines = Annotated[str, typer.Option(help="Comma-separated: engine, or engine:workers.")]
Sizes = Annotated[str, typer.Option(help="Comma-separated numbers of points; default: 1/4, 1/2, all.")]
MemoryLimit = Annotated[
    float | None, typer.Option(help="Memory limit per engine in GiB; default: 80 % of free memory.")
]
Number = TypeVar("Number", int, float)

app = typer.Typer()


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
    lat_column: LatColumn = None,
    lon_column: LonColumn = None,
    time_column: TimeColumn = None,
    era: Era = None,
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
        input=input_of(settings, input_uri), engines=engines.split(","), sizes=_numbers(sizes, int, "--sizes"),
        repeats=repeats, eps_m=eps_m, min_samples=min_samples, n_workers=workers, end=end_of(dropoffs=dropoffs),
        named=Named(lat_column, lon_column, time_column), era=era, weight_column=weight_column,
        memory_gib=memory_gib, seed=seed, track=track, dry_run=dry_run,
    )  # fmt: skip
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
    lat_column: LatColumn = None,
    lon_column: LonColumn = None,
    time_column: TimeColumn = None,
    era: Era = None,
    seed: SamplingSeed = 0,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Try every pair of eps and min_samples. Recommends the best pair whose clusters do not chain together."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.sweep import Params, run

    params = Params(
        input=input_of(settings, input_uri), eps_m=_numbers(eps_m, float, "--eps-m"),
        min_samples=_numbers(min_samples, int, "--min-samples") or None, engine=engine, n_workers=workers,
        k=k, sample=sample, end=end_of(dropoffs=dropoffs), named=Named(lat_column, lon_column, time_column),
        era=era, weight_column=weight_column, seed=seed, track=track, dry_run=dry_run,
    )  # fmt: skip
    emit(run(settings, params))


def _numbers(text: str, kind: Callable[[str], Number], option: str) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"expected comma-separated numbers, got {text!r}", where=option) from None

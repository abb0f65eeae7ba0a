"""The command that predicts what a clustering would take."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.clustering import Dropoffs, Eps, Input, Lake, MinSamples, Workers
from cabstand.cli.common import emit, load_settings
from cabstand.clustering.columns import End


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("plan")(plan)


def plan(
    input_uri: Input,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    memory_gib: Annotated[
        float | None, typer.Option("--memory-gib", min=0.1, help="Memory to use; by default 80 % of what is free.")
    ] = None,
    workers: Workers = None,
    dropoffs: Dropoffs = False,
    lake: Lake = None,
) -> None:
    """Predict time and memory of each engine from a sample; choose engine, workers and task size."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.plan import Params, run

    end: End = "dropoff" if dropoffs else "pickup"
    emit(run(settings, Params(input_uri, eps_m, min_samples, memory_gib, workers, end)))

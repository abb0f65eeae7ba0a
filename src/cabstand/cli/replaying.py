"""The command that replays past months, to see whether the monitor's limits are the right ones."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import DryRun, Lake, Problem, Seed, Track

app = typer.Typer()


@app.command()
def replay(
    months: Annotated[
        list[str], typer.Option("--months", help="Months in the lake, YYYY-MM, comma-separated; repeatable.")
    ],
    dataset: Annotated[str, typer.Option(help="Trips to replay.")] = "green",
    problem: Problem = "trip-duration",
    train_months: Annotated[int, typer.Option(help="Months that a model learns from.")] = 2,
    holdout_months: Annotated[
        int, typer.Option(help="Later months to judge a model on; 0: the newest fifth of what it learns from.")
    ] = 1,
    windows: Annotated[int, typer.Option(help="Windows of a month: 1, 2 or 4.")] = 4,
    seed: Seed = 0,
    write: Annotated[
        bool, typer.Option("--write", help="Write the recommended limits into the settings file.")
    ] = False,
    lake: Lake = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Replay past months through the monitor. Shows what retraining would have saved, and recommends limits.

    Models are trained as the months came, so it takes minutes; nothing is promoted.
    """
    settings = load_settings(lake=lake)
    from cabstand.jobs.replay import Params, run

    named = tuple(month.strip() for group in months for month in group.split(",") if month.strip())
    emit(
        run(
            settings,
            Params(named, dataset, problem, train_months, holdout_months, windows, seed, write, track, dry_run),
        )
    )

"""The command that watches data and models for drift."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import Artifacts, Lake, Problem, SamplingSeed, Track, Version

app = typer.Typer()


@app.command()
def monitor(
    problem: Problem = "trip-duration",
    current: Annotated[
        str,
        typer.Option(
            help="Rows to look at: a month of the lake as `<dataset>:<YYYY-MM>`, `newest` or `newest:<dataset>`, or "
            "the URI, glob or folder of Parquet files; default: the newest month of the champion's data set."
        ),
    ] = "",
    predictions: Annotated[
        str,
        typer.Option(help="Or days (UTC) of logged predictions: `DAY..DAY` (YYYY-MM-DD), both included, or yesterday."),
    ] = "",
    source: Annotated[
        Literal["auto", "lake", "local"], typer.Option(help="Log of predictions; auto means both.")
    ] = "auto",
    reference: Annotated[
        str,
        typer.Option(help="Rows to compare with, as `--current`, without a model; default: the version's own."),
    ] = "",
    version: Version = "",
    seed: SamplingSeed = 0,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
) -> None:
    """Compare a window of rows with the reference, and decide whether to retrain. Writes a report and a record.

    The version is the champion by default. Reaching the share of drifted columns, `CABSTAND_MONITOR_SHARE`, is drift;
    drift alone asks a person to look, and retraining needs a worse error, too. Exits with 0 whatever is decided: read
    `decision`.
    """
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.monitor import Params, run

    params = Params(
        problem, current, predictions, source=source, reference=reference, version=version,
        seed=seed, track=track,
    )  # fmt: skip
    emit(run(settings, params))

"""Commands that act on what the monitor found: retraining, and the truth for logged predictions."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import Artifacts, DryRun, Eps, Fetch, Lake, MinSamples, Newest, Seed, Track

app = typer.Typer()
labels = typer.Typer(no_args_is_help=True, help="Find out what came true of logged predictions.")
app.add_typer(labels, name="labels")


@app.command()
def retrain(
    problem: Annotated[str, typer.Option(help="Problem that learns from trips: a name, or a .py file.")] = (
        "trip-duration"
    ),
    decision: Annotated[
        str, typer.Option("--key", help="Key of the monitor's decision to carry out; default: a request of your own.")
    ] = "",
    dataset: Annotated[str, typer.Option(help="Trips to train on; default: those of the champion.")] = "",
    newest: Newest = 3,
    fetch: Fetch = True,
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    seed: Seed = 0,
    why: Annotated[str, typer.Option(help="Reason to record for a request of your own.")] = "",
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Train on the newest months, and promote the model if it passes the gate. An interrupted run resumes.

    A decision is carried out once, however often it is asked for. A refusal by the gate is a normal result and exits
    with 0: read `decision`.
    """
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.retrain import Params, run

    params = Params(
        problem, decision, dataset, newest=newest, fetch=fetch, eps_m=eps_m, min_samples=min_samples, seed=seed,
        why=why, track=track, dry_run=dry_run,
    )  # fmt: skip
    emit(run(settings, params))


@labels.command()
def join(
    problem: Annotated[str, typer.Option(help="Problem name.")] = "trip-duration",
    since: Annotated[str, typer.Option(help="First day of prediction (UTC), YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Day after the last (UTC), YYYY-MM-DD.")] = "",
    source: Annotated[
        Literal["local", "lake"], typer.Option(help="Which prediction log: this machine's or the lake's.")
    ] = "local",
    dataset: Annotated[str, typer.Option(help="Trips to match; default: those that the champion was trained on.")] = "",
    tolerance_s: Annotated[int, typer.Option(help="Largest difference of pick-up times, in seconds.")] = 0,
    truth: Annotated[
        str, typer.Option(help="File with the truth by request id (CSV, Parquet), instead of trips.")
    ] = "",
    lake: Lake = None,
    artifacts: Artifacts = None,
) -> None:
    """Match logged predictions to trips that arrived later. Doubtful matches are counted and left out."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.labels_join import Params, run

    emit(run(settings, Params(problem, source, since, until, dataset, tolerance_s, truth)))

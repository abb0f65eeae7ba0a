"""Commands that train, promote, roll back, verify and inspect models."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.cli.options import (
    Artifacts,
    DryRun,
    Eps,
    Fetch,
    Lake,
    MinSamples,
    Newest,
    Problem,
    Seed,
    Track,
    Version,
    Who,
    Why,
)
from cabstand.errors import DataError

app = typer.Typer()
models = typer.Typer(no_args_is_help=True, help="List, inspect and query trained models.")
app.add_typer(models, name="models")


@app.command()
def train(
    problem: Problem,
    input_uri: Annotated[
        list[str] | None, typer.Option("--input", help="File or folder of Parquet files; repeatable.")
    ] = None,
    holdout: Annotated[
        list[str] | None, typer.Option(help="Later data to evaluate on; default: latest fifth of the input.")
    ] = None,
    hotspots: Annotated[str, typer.Option(help="URI of a hotspots.npz to add to the bundle.")] = "",
    seed: Seed = 0,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Train a model and publish its bundle. The model is exported to ONNX, verified and registered."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.train import Params, run

    data = tuple(input_uri or ()), tuple(holdout or ())
    emit(run(settings, Params(problem, *data, hotspots=hotspots, seed=seed, track=track, dry_run=dry_run)))


@app.command()
def promote(
    problem: Problem,
    version: Version = "",
    share: Annotated[float, typer.Option(help="Share of requests for a challenger; 0 makes a champion.")] = 0.0,
    who: Who = "",
    why: Why = "",
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Promote a version if it passes the gate. By default, the newest version is judged.

    A refusal is a normal result and exits with 0: read `decision`.
    """
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.promote import Params, run

    emit(run(settings, Params(problem, version, share, who, why, track=track, dry_run=dry_run)))


@app.command()
def rollback(
    problem: Problem,
    to: Annotated[str, typer.Option(help="Version to return to; default: the previous champion.")] = "",
    who: Who = "",
    why: Why = "",
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Return to the previous champion (or --to). A second rollback needs --to."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.rollback import Params, run

    emit(run(settings, Params(problem, to, who, why, track=track, dry_run=dry_run)))


@models.command("list")
def list_models(
    problem: Annotated[str, typer.Option(help="List only this problem.")] = "",
    artifacts: Artifacts = None,
    track: Track = True,
) -> None:
    """List the versions of each problem. Shows which of them are in service."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_list import Params, run

    emit(run(settings, Params(problem, track=track)))


@models.command()
def inspect(problem: Problem, version: Version = "", artifacts: Artifacts = None) -> None:
    """Describe a version. Shows request fields, metrics, importance or coefficients, size and lineage."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_inspect import Params, run

    emit(run(settings, Params(problem, version)))


@models.command()
def predict(
    problem: Problem,
    row: Annotated[str, typer.Option(help="One request as a JSON object, or a list of them.")],
    version: Version = "",
    artifacts: Artifacts = None,
) -> None:
    """Predict locally, without a service. Uses the champion's bundle, or --version's."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_predict import Params, run

    try:
        content = json.loads(row)
    except ValueError as error:
        raise DataError("not JSON", where="--row", hint="--row '{\"field\": 1}'") from error
    rows = content if isinstance(content, list) else [content]
    if not all(isinstance(one, dict) for one in rows):
        raise DataError("expected a JSON object or a list of them", where="--row")
    emit(run(settings, Params(problem, rows, version)))


@app.command()
def verify(
    data: Annotated[str, typer.Option(help="Folder to search for trip files and housing.csv.gz.")] = "",
    month: Annotated[
        list[str] | None, typer.Option(help="Trip file whose figures are computed, published or your own; repeatable.")
    ] = None,
    out: Annotated[str, typer.Option(help="Output folder; default: <home>/reports/evidence, or months.")] = "",
) -> None:
    """Recompute the reference figures. Writes the evidence, and exits with 1 if a figure fails.

    With --month alone, it computes only that month's figures.
    """
    settings = load_settings()
    from cabstand.jobs.verify import Params, run

    result = run(settings, Params(data, out, tuple(month or ())))
    emit(result)
    if result["failed"]:
        raise typer.Exit(1)


@app.command()
def pipeline(
    dataset: Annotated[str, typer.Option(help="yellow, green, or a synthetic dataset in the lake.")],
    month: Annotated[list[str] | None, typer.Option(help="Training month, YYYY-MM; repeatable.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="File of each month, or `lake`; default: download.")] = None,
    holdout_month: Annotated[list[str] | None, typer.Option(help="Later month to evaluate on; repeatable.")] = None,
    newest: Newest = 3,
    fetch: Fetch = True,
    zones: Annotated[str, typer.Option(help="Zone files, used if the lake has none.")] = "",
    problem: Problem = "trip-duration",
    eps_m: Eps = 50.0,
    min_samples: MinSamples = 20,
    seed: Seed = 0,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    again: Annotated[bool, typer.Option("--again", help="Run every step again, even if already done.")] = False,
    until: Annotated[str, typer.Option(help="Step to stop after; default: the last one.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Run every step from ingest to report. An interrupted run resumes where it stopped."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.pipeline import Params, run

    params = Params(
        dataset=dataset,
        months=tuple(month or ()),
        sources=tuple(source or ()),
        holdout_months=tuple(holdout_month or ()),
        zones=zones,
        problem=problem,
        eps_m=eps_m,
        min_samples=min_samples,
        seed=seed,
        track=track,
        again=again,
        dry_run=dry_run,
        newest=newest,
        fetch=fetch,
        until=until,
    )
    emit(run(settings, params))

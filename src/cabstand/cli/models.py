"""Commands about models: train, promote, rollback, models list, inspect and predict."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.errors import DataError

ProblemName = Annotated[
    str,
    typer.Option("--problem", help="trip-duration, trip-duration-distance, housing, iris, or a path to a .py file."),
]
Version = Annotated[str, typer.Option("--version", help="Version of the bundle, or the beginning of it.")]
Artifacts = Annotated[str | None, typer.Option("--artifacts", help="URI or path of bundles and pointers.")]
Lake = Annotated[str | None, typer.Option("--lake", help="URI or path of the lake.")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Log to MLflow and keep its registry in step.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Why = Annotated[str, typer.Option("--why", help="Reason, kept in the pointer.")]
Who = Annotated[str, typer.Option("--who", help="Who decides; by default the user's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("train")(train)
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    models = typer.Typer(no_args_is_help=True, help="List, inspect and ask trained models.")
    models.command("list")(list_models)
    models.command("inspect")(inspect)
    models.command("predict")(predict)
    app.add_typer(models, name="models")
    app.command("verify")(verify)
    app.command("pipeline")(pipeline)


def train(
    problem: ProblemName,
    input_uri: Annotated[
        list[str] | None,
        typer.Option("--input", help="URI of a file, or of a folder of Parquet files; may be repeated."),
    ] = None,
    holdout: Annotated[
        list[str] | None,
        typer.Option("--holdout", help="Later data to judge on; by default the latest fifth of the input."),
    ] = None,
    hotspots: Annotated[str, typer.Option("--hotspots", help="URI of a hotspots.npz to serve with it.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Train a problem: search, fit, export to ONNX, prove the export, publish a bundle, register the version."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.train import Params, run

    chosen = tuple(input_uri or ()), tuple(holdout or ())
    emit(run(settings, Params(problem, *chosen, hotspots=hotspots, seed=seed, track=track, dry_run=dry_run)))


def promote(
    problem: ProblemName,
    version: Version = "",
    share: Annotated[float, typer.Option("--share", help="Above 0: challenger with this share of requests.")] = 0.0,
    who: Who = "",
    why: Why = "",
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Let the newest version (or --version) through the gate; it becomes champion, or is refused with its numbers.

    Both are answers, exit 0: read `decision`.
    """
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.promote import Params, run

    emit(run(settings, Params(problem, version, share, who, why, track=track, dry_run=dry_run)))


def rollback(
    problem: ProblemName,
    to: Annotated[str, typer.Option("--to", help="Version to go back to; by default the previous champion.")] = "",
    who: Who = "",
    why: Why = "",
    artifacts: Artifacts = None,
    track: Track = True,
    dry_run: DryRun = False,
) -> None:
    """Make the previous champion (or --to) champion again."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.rollback import Params, run

    emit(run(settings, Params(problem, to, who, why, track=track, dry_run=dry_run)))


def list_models(
    problem: Annotated[str, typer.Option("--problem", help="One problem alone.")] = "",
    artifacts: Artifacts = None,
    track: Track = True,
) -> None:
    """List the versions of each problem, and which of them serve."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_list import Params, run

    emit(run(settings, Params(problem, track=track)))


def inspect(problem: ProblemName, version: Version = "", artifacts: Artifacts = None) -> None:
    """Show a version's request, figures, importance or coefficients, size and lineage."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_inspect import Params, run

    emit(run(settings, Params(problem, version)))


def predict(
    problem: ProblemName,
    row: Annotated[str, typer.Option("--row", help="One request as a JSON object, or a list of them.")],
    version: Version = "",
    artifacts: Artifacts = None,
) -> None:
    """Answer a request here, from the champion's bundle (or --version's), without a service."""
    settings = load_settings(artifacts=artifacts)
    from cabstand.jobs.models_predict import Params, run

    try:
        given = json.loads(row)
    except ValueError as error:
        raise DataError("not JSON", where="--row", hint="--row '{\"field\": 1}'") from error
    rows = given if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) for one in rows):
        raise DataError("not a JSON object, nor a list of them", where="--row")
    emit(run(settings, Params(problem, rows, version)))


def verify(
    data: Annotated[str, typer.Option("--data", help="Folder of trip files and housing.csv.gz, however deep.")] = "",
    out: Annotated[str, typer.Option("--out", help="Folder for the evidence, instead of one under the home.")] = "",
) -> None:
    """Compute every reference figure from the data at hand; write the evidence; exit 1 if one fails."""
    settings = load_settings()
    from cabstand.jobs.verify import Params, run

    result = run(settings, Params(data, out))
    emit(result)
    if result["failed"]:
        raise typer.Exit(1)


def pipeline(
    dataset: Annotated[str, typer.Option("--dataset", help="yellow, green, or a synthetic one in the lake.")],
    month: Annotated[list[str], typer.Option("--month", help="YYYY-MM to learn from; may be repeated.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="File of each month, in order; downloaded when left out.")
    ] = None,
    holdout_month: Annotated[
        list[str] | None, typer.Option("--holdout-month", help="Later month to judge on; may be repeated.")
    ] = None,
    zones: Annotated[str, typer.Option("--zones", help="Zone files, used when the lake has none.")] = "",
    problem: ProblemName = "trip-duration",
    eps_m: Annotated[float, typer.Option("--eps-m", help="Radius of a neighbourhood in metres.")] = 50.0,
    min_samples: Annotated[int, typer.Option("--min-samples", help="Points that make a core point.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    again: Annotated[bool, typer.Option("--again", help="Run every step anew, though it is done.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Run ingest, cluster, train, gate, publish and report; killed or failed, it goes on where it was."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.pipeline import Params, run

    params = Params(
        dataset=dataset,
        months=tuple(month),
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
    )
    emit(run(settings, params))

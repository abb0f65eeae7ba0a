"""Commands around the prediction service: the server, its API keys, a client, and the prediction log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cabstand import activity
from cabstand.cli.common import emit, load_settings, say
from cabstand.errors import ConfigError

MAX_ROWS_SHOWN = 50

Problem = Annotated[str, typer.Option(help="Problem name.")]
Source = Annotated[Literal["local", "lake"], typer.Option(help="Which log: this machine's or the lake's.")]

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="Manage the API keys of the service.")
app.add_typer(keys, name="keys")
predictions = typer.Typer(no_args_is_help=True, help="Export or delete logged predictions.")
app.add_typer(predictions, name="predictions")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    artifacts: Annotated[str | None, typer.Option(help="URI or path of bundles and pointers.")] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Accept requests without an API key.")] = False,
) -> None:
    """Serve predictions over HTTP until stopped."""
    settings = load_settings(artifacts=artifacts, api_keys_required=False if no_keys else None)
    from cabstand.api.server import serve as run
    from cabstand.io import keys

    if settings.api_keys_required and not keys.load(settings):
        say("no API key yet: create one with `cabstand keys create NAME`")
    emit(run(settings, host, port, _announce))


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Name of the key's owner.")],
    scope: Annotated[list[str] | None, typer.Option(help="predict or metrics; repeatable; default: both.")] = None,
    expires_days: Annotated[int | None, typer.Option(help="Days until it expires; default: never.")] = None,
) -> None:
    """Create an API key and show it once. Only its hash is stored."""
    from cabstand.io.keys import SCOPES

    _run_keys(action="create", name=name, scopes=tuple(scope or SCOPES), expires_days=expires_days)


@keys.command("list")
def list_keys() -> None:
    """List the API keys. Shows their scopes and expiry dates."""
    _run_keys(action="list")


@keys.command("revoke")
def revoke_key(name: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """Revoke an API key. Running services refuse it within a minute."""
    _run_keys(action="revoke", name=name)


@app.command()
def predict(
    values: Annotated[list[str] | None, typer.Argument(help="One row, as name=value for each field.")] = None,
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8000",
    key: Annotated[str, typer.Option(help="API key; better set as CABSTAND_API_KEY.")] = "",
    problem: Problem = "trip-duration",
    file: Annotated[Path | None, typer.Option(help="CSV file whose header names the fields.")] = None,
) -> None:
    """Query a running service. Sends one row or a CSV file, and shows the answers as a table."""
    from cabstand.jobs import predict as job

    pairs = [text.partition("=") for text in values or []]
    for name, mark, _ in pairs:
        if not mark:
            raise ConfigError(f"expected name=value, got {name}", hint="pickup_zone=74 dropoff_zone=42")
    row = {name: value for name, _, value in pairs}
    result = job.run(load_settings(), job.Params(url, key, problem, row, file))
    _show_answers(result["answers"], result["errors"])
    emit(result)


@predictions.command()
def export(
    problem: Problem = "trip-duration",
    since: Annotated[str, typer.Option(help="First day (UTC), YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Day after the last (UTC), YYYY-MM-DD.")] = "",
    source: Source = "local",
    out: Annotated[str, typer.Option(help="URI of the Parquet file; default: one in the lake.")] = "",
) -> None:
    """Export logged predictions as Parquet."""
    _run_predictions(action="export", source=source, problem=problem, since=since, until=until, out=out)


@predictions.command()
def delete(
    request_id: Annotated[str, typer.Option(help="Request id, as in the answer.")],
    source: Source = "local",
) -> None:
    """Delete the logged rows of one request."""
    _run_predictions(action="delete", source=source, request_id=request_id)


def _announce(url: str) -> None:
    activity.stop()  # it waits for requests from now on
    say(f"serving on {url}, documentation at /docs; stop with Ctrl-C")


def _run_keys(**params: Any) -> None:
    from cabstand.jobs import keys as job

    emit(job.run(load_settings(), job.Params(**params)))


def _run_predictions(**params: Any) -> None:
    from cabstand.jobs import predictions as job

    emit(job.run(load_settings(), job.Params(**params)))


def _show_answers(answers: list[dict[str, Any] | None], errors: list[dict[str, Any]]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    shown = answers[:MAX_ROWS_SHOWN]
    names = list(dict.fromkeys(name for answer in shown if answer for name in answer))
    faults = {one["row"]: "; ".join(f"{each['pointer']}: {each['detail']}" for each in one["errors"]) for one in errors}
    table = Table("row", *names, *(["error"] if faults else []))
    for row, answer in enumerate(shown):
        cells = [str((answer or {}).get(name, "")) for name in names]
        table.add_row(str(row), *cells, *([faults.get(row, "")] if faults else []))
    console = Console(stderr=True)
    console.print(table)
    if len(answers) > MAX_ROWS_SHOWN:
        console.print(f"and {len(answers) - MAX_ROWS_SHOWN:,} more")

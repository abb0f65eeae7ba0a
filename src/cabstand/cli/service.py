"""Commands of the prediction service: `serve`, `predict`, `keys` and `predictions`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.errors import ConfigError

SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("serve")(serve)
    app.command("predict")(predict)
    keys = typer.Typer(no_args_is_help=True, help="API keys of the prediction service.")
    keys.command("create")(create_key)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke_key)
    app.add_typer(keys, name="keys")
    log = typer.Typer(no_args_is_help=True, help="The prediction log.")
    log.command("export")(export)
    log.command("delete")(delete)
    app.add_typer(log, name="predictions")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
    artifacts: Annotated[str | None, typer.Option(help="URI of bundles and pointers.")] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Answer without an API key.")] = False,
) -> None:
    """Serve predictions until stopped."""
    settings = load_settings(artifacts=artifacts, api_keys_required=False if no_keys else None)
    from cabstand.api.server import serve as run
    from cabstand.io import keys

    if settings.api_keys_required and not keys.load(settings):
        typer.echo("no API key yet: create one with `cabstand keys create NAME`", err=True)
    typer.echo(f"serving on http://{host}:{port}, documentation at /docs; stop with Ctrl-C", err=True)
    emit(run(settings, host, port))


def create_key(
    name: Annotated[str, typer.Argument(help="Name of the key's user.")],
    scope: Annotated[list[str] | None, typer.Option(help="What the key may do (repeatable): predict, metrics.")] = None,
    expires_days: Annotated[int | None, typer.Option(help="Days that the key is valid; forever by default.")] = None,
) -> None:
    """Create an API key. It is shown only now; cabstand stores its hash."""
    from cabstand.io.keys import SCOPES

    _keys(action="create", name=name, scopes=tuple(scope or SCOPES), expires_days=expires_days)


def list_keys() -> None:
    """List the API keys with their scopes and expiry dates."""
    _keys(action="list")


def revoke_key(name: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """Revoke an API key; running services refuse it within a minute."""
    _keys(action="revoke", name=name)


def predict(
    values: Annotated[list[str] | None, typer.Argument(help="One row, as name=value for each field.")] = None,
    url: Annotated[str, typer.Option(help="The service's address.")] = "http://127.0.0.1:8000",
    key: Annotated[str, typer.Option(help="API key; better set in CABSTAND_API_KEY.")] = "",
    problem: Annotated[str, typer.Option(help="Name of the problem.")] = "trip-duration",
    file: Annotated[Path | None, typer.Option(help="A CSV with the fields in its header.")] = None,
) -> None:
    """Predict one row, or a CSV of rows, by a running service, and show the answers as a table."""
    from cabstand.jobs import predict as job

    pairs = [text.partition("=") for text in values or []]
    for name, mark, _ in pairs:
        if not mark:
            raise ConfigError(f"not name=value: {name}", hint="pickup_zone=74 dropoff_zone=42")
    row = {name: value for name, _, value in pairs}
    result = job.run(load_settings(), job.Params(url, key, problem, row, file))
    _table(result["answers"], result["errors"])
    emit(result)


def export(
    problem: Annotated[str, typer.Option(help="Name of the problem.")] = "trip-duration",
    since: Annotated[str, typer.Option(help="First day, UTC.")] = "",
    until: Annotated[str, typer.Option(help="Day after the last one, UTC.")] = "",
    source: Annotated[str, typer.Option(help="The log on this machine (local) or in the lake (lake).")] = "local",
    out: Annotated[str, typer.Option(help="URI of the Parquet file; by default in the lake.")] = "",
) -> None:
    """Export logged predictions as Parquet, for the drift monitor."""
    _predictions(action="export", source=_source(source), problem=problem, since=since, until=until, out=out)


def delete(
    request_id: Annotated[str, typer.Option(help="Request id from the answer.")],
    source: Annotated[str, typer.Option(help="The log on this machine (local) or in the lake (lake).")] = "local",
) -> None:
    """Delete one request's rows from the log."""
    _predictions(action="delete", source=_source(source), request_id=request_id)


def _keys(**given: Any) -> None:
    from cabstand.jobs import keys as job

    emit(job.run(load_settings(), job.Params(**given)))


def _predictions(**given: Any) -> None:
    from cabstand.jobs import predictions as job

    emit(job.run(load_settings(), job.Params(**given)))


def _source(text: str) -> Literal["local", "lake"]:
    if text == "local":
        return "local"
    if text == "lake":
        return "lake"
    raise ConfigError(f"unknown source {text}", hint="known: local, lake")


def _table(answers: list[dict[str, Any] | None], errors: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = answers[:SHOWN]
    names = list(dict.fromkeys(name for answer in shown if answer for name in answer))
    wrong = {one["row"]: "; ".join(f"{each['pointer']}: {each['detail']}" for each in one["errors"]) for one in errors}
    table = Table("row", *names, *(["wrong"] if wrong else []))
    for row, answer in enumerate(shown):
        cells = [str((answer or {}).get(name, "")) for name in names]
        table.add_row(str(row), *cells, *([wrong.get(row, "")] if wrong else []))
    console = Console(stderr=True)
    console.print(table)
    if len(answers) > SHOWN:
        console.print(f"and {len(answers) - SHOWN:,} more")

"""Commands about the account on this machine: start it, look at it, run something in it, end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cabstand import activity
from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import finite
from cabstand.errors import TaskError

if TYPE_CHECKING:
    from cabstand.local.stack.state import State

app = typer.Typer()
local = typer.Typer(
    no_args_is_help=True,
    help="The whole AWS account on this machine: infra/ applied to an emulator, its tasks and services really run.",
)
app.add_typer(local, name="local")


@local.command()
def up(
    infra: Annotated[Path, typer.Option(help="Folder of the Terraform root module, in a checkout.")] = Path("infra"),
    port_base: Annotated[
        int | None,
        typer.Option(
            min=1024,
            max=65532,
            help="First of four ports: endpoint, MLflow, emulator, PostgreSQL; default: free ones.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Use the function's zip in dist/ if there is one.")] = False,
    use_image: Annotated[
        bool, typer.Option("--image/--no-image", help="Run tasks in the batch image, if podman or Docker has it.")
    ] = True,
) -> None:
    """Start the account and print its addresses. Takes minutes; one that runs already is left as it is."""
    folder = _folder()
    from cabstand.local.stack import up as stack

    state, started = stack.run(stack.Params(folder, infra, port_base, quick, use_image))
    if not started:
        say("it runs already:")
    addresses = {name: part.address for name, part in state.parts.items() if part.address}
    _show_addresses(addresses, state.facts)
    emit({"started": started, "folder": str(folder), "addresses": addresses, **state.facts})


@local.command()
def down(
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep objects in S3, MLflow's runs and API keys for the next `up`; nothing else."),
    ] = False,
) -> None:
    """End the account: no process, port or file is left. Works after any part of it was killed. Safe to repeat."""
    folder = _folder()
    from cabstand.local.stack import down as stack

    emit(stack.run(folder, keep=keep))


@local.command()
def status() -> None:
    """Show the parts, the tasks that run or ended within the hour, and the next firings."""
    folder = _folder()
    from cabstand.local.stack import status as stack

    result = stack.run(folder)
    _show_status(result)
    emit(result)


@local.command()
def logs(
    name: Annotated[str, typer.Argument(help="A part (mlflow, services, ...), task, function, access, or one task.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Number of lines, from the end.")] = 50,
) -> None:
    """Print what a part, the tasks or the function logged."""
    with _account() as state:
        from cabstand.local.stack import logs as stack

        for line in stack.run(state, name, lines):
            typer.echo(line)


@local.command()
def run(
    task: Annotated[str, typer.Argument(help="Task definition, such as compare or pipeline.")],
    command: Annotated[list[str] | None, typer.Argument(help="Command to run instead, after `--`.")] = None,
    limit_s: Annotated[
        float, typer.Option(callback=finite, min=1, help="Stop following after so many seconds; the task goes on.")
    ] = 21_600,
) -> None:
    """Run a task as ECS would and follow its log. Exits with 1 unless the task exits with 0."""
    with _account() as state:
        from cabstand.local.stack import tasks as stack

        ended = stack.run(state, task, command or [], say, limit_s)
    emit(asdict(ended))
    if ended.exit_code != 0:
        raise TaskError(f"ended with exit code {ended.exit_code}: {ended.stopped_reason}", where=task)


@local.command()
def fire(
    schedule: Annotated[str, typer.Argument(help="Schedule, such as daily-comparison.")],
) -> None:
    """Fire a schedule now, once, whatever its state."""
    with _account() as state:
        from cabstand.local.stack import firing as stack

        emit(stack.run(state, schedule))


def _folder() -> Path:
    return load_settings().home.resolve() / "local"


@contextmanager
def _account() -> Iterator[State]:
    """Yield what runs; where its emulator does not answer, that is one line."""
    folder = _folder()
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    from cabstand.local.stack.state import required

    lost = (NoConnection, HTTPClientError)
    try:
        yield required(folder)
    except (*lost, TaskError) as error:
        cause = error.__cause__ if isinstance(error, TaskError) else error
        if not isinstance(cause, lost):
            raise
        raise TaskError(f"does not answer: {cause}", where="emulator", hint="cabstand local status") from error


def _show_addresses(addresses: dict[str, str], facts: dict[str, Any]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    from cabstand.local.emulator import site

    table = Table("what", "where", "log in with", box=None, pad_edge=False)
    user = facts["mlflow_user"]
    rows: dict[str, tuple[str, ...]] = {  # part, how to log in, path
        "endpoint (/docs)": ("gateway", "the API key below"),
        "MLflow": ("mlflow", f"{user['username']}, {user['password']}"),
        "AWS_ENDPOINT_URL": ("emulator", "key and secret: emulator"),
        "results site": ("emulator", "", site.PAGES),
        "page of the emulator": ("emulator", "", "/moto-api/"),
        "PostgreSQL": ("postgres", "the secret that RDS manages"),
    }
    for label, (name, login, *path) in rows.items():
        if address := addresses.get(name):
            table.add_row(label, address + "".join(path), login)
    Console(stderr=True, width=160).print(table)  # in a narrow terminal lines wrap; nothing may be cut off
    if endpoint := addresses.get("gateway"):
        say(f'curl -s {endpoint}/v1/models -H "x-api-key: {facts["key"]}"')


def _show_status(result: dict[str, Any]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("part", "runs", "address", "restarts", "note or last line of its log")
    for name, part in result["parts"].items():
        runs = "yes" if part["running"] else "no"
        table.add_row(name, runs, part["address"], str(part["restarts"]), part["note"] or part["log"])
    console.print(table)
    for task in result["tasks"]:
        say(f"{task['status'].lower()}: {task['task']} {task['id']}")
    for task in result["ended"]:
        say(f"ended with {task['exit_code']}: {task['task']} {task['id']}")
    for one in result["schedules"]:
        say(f"{one['next']}: {one['name']}")
    for one in result["denied"]:
        say(f"denied: {one['role']} may not {one['action']} on {one['resource']} ({one['call']})")

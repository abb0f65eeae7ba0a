"""Commands about the account on this machine: start it, look at it, run something in it, end it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cabstand import activity
from cabstand.cli.common import emit, load_settings, say

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
) -> None:
    """Start the account and print its addresses. Takes minutes; one that runs already is left as it is."""
    folder = _folder()
    from cabstand.local.stack import up as stack

    state, started = stack.run(stack.Params(folder, infra, port_base, quick))
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
    """Show the parts, the tasks that run and the next firings."""
    folder = _folder()
    from cabstand.local.stack import status as stack

    result = stack.run(folder)
    _show_status(result)
    emit(result)


def _folder() -> Path:
    return load_settings().home.resolve() / "local"


def _show_addresses(addresses: dict[str, str], facts: dict[str, Any]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("what", "where")
    for name, address in addresses.items():
        table.add_row(name, address)
    console.print(table)
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
    for one in result["schedules"]:
        say(f"{one['name']}: {one['expression']} {one['next']}")

"""Commands about the AWS account: what it costs, sleep and wake, leaving it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cabstand.cli.common import emit, load_settings
from cabstand.errors import CabstandError

Environment = Annotated[str, typer.Option("--environment", "-e", help="Which environment: dev or prod.")]
Project = Annotated[str, typer.Option(help="The project's name, as its resources are tagged.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("cost")(cost)
    app.command("sleep")(sleep)
    app.command("wake")(wake)
    app.command("unlock")(unlock)
    app.command("destroy")(destroy)


def cost(
    plan: Annotated[Path, typer.Argument(help="The plan: what `terraform show -json PLAN` prints.")],
    limit: Annotated[float | None, typer.Option(min=0, help="Most USD a month idle; more is exit 1.")] = None,
    asleep_limit: Annotated[float | None, typer.Option(min=0, help="Most USD a month asleep; more is exit 1.")] = None,
    run_minutes: Annotated[float, typer.Option(min=1, help="How long a task's run is taken to last, minutes.")] = 10.0,
    region: Annotated[str, typer.Option(help="AWS region whose prices count.")] = "us-east-1",
) -> None:
    """Price a Terraform plan offline: idle and asleep a month, each batch run, a million predictions."""
    from cabstand.jobs import cost as job

    params = job.Params(plan, limit, asleep_limit, run_minutes, region)
    result = job.run(load_settings(), params)
    _show_cost(result)
    emit(result)
    if result["over"]:
        raise CabstandError("; ".join(result["over"]), hint="see the table above")


def _show_cost(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("resource", "price", "quantity", "USD a unit", "idle", "asleep", "as of", title="USD a month")
    for line in sorted(result["lines"], key=lambda line: -line["idle_usd_month"]):
        amounts = (f"{line['idle_usd_month']:.2f}", f"{line['asleep_usd_month']:.2f}")
        unit = f"{line['unit_usd']:g} / {line['unit']}"
        table.add_row(line["address"], line["price"], f"{line['quantity']:g}", unit, *amounts, line["as_of"])
    table.add_section()
    table.add_row("in all", "", "", "", f"{result['idle_usd_month']:.2f}", f"{result['asleep_usd_month']:.2f}", "")
    console.print(table)
    runs = Table("task", "vCPU", "GB", "minutes", "USD a run", title="A batch run, on demand")
    for run in result["runs"]:
        runs.add_row(
            run["task"], f"{run['vcpu']:g}", f"{run['memory_gb']:g}", f"{run['minutes']:g}", f"{run['usd_run']:.3f}"
        )
    if result["runs"]:
        console.print(runs)
    if result["million_predictions_usd"] is not None:
        console.print(f"A million predictions: {result['million_predictions_usd']:.2f} USD")
    console.print(f"Billed by use alone: {', '.join(result['by_use']) or 'nothing'}")
    for name in result["unpriced"]:
        console.print(f"[red]Unpriced:[/red] {name}")


def sleep(environment: Environment = "dev", project: Project = "cabstand", dry_run: DryRun = False) -> None:
    """Stop what bills while idle: schedules, the MLflow server and its database; safe to repeat."""
    from cabstand.jobs import sleep as job

    result = job.run(load_settings(), job.Params(environment, project, dry_run))
    if not result["stays_asleep"]:
        typer.echo("RDS starts a stopped database after seven days: sleep again before then", err=True)
    emit(result)


def wake(environment: Environment = "dev", project: Project = "cabstand", dry_run: DryRun = False) -> None:
    """Start what `sleep` stopped; safe to repeat."""
    from cabstand.jobs import sleep as shared
    from cabstand.jobs import wake as job

    emit(job.run(load_settings(), shared.Params(environment, project, dry_run)))


def unlock(
    lock: Annotated[str, typer.Argument(help="The lock's id, as the refusal names it.")],
    environment: Environment = "dev",
    project: Project = "cabstand",
    infra: Annotated[Path, typer.Option(help="Folder of the Terraform root.")] = Path("infra"),
) -> None:
    """Give back the state that a dead run of Terraform left locked, and find what it made; `make deploy` goes on."""
    from cabstand.jobs import unlock as job

    emit(job.run(load_settings(), job.Params(lock, environment, project, infra)))


def destroy(
    environment: Environment = "dev",
    project: Project = "cabstand",
    confirm: Annotated[str, typer.Option(help="The sentence that is asked for otherwise.")] = "",
    prod_too: Annotated[bool, typer.Option("--prod-too", help="The second switch, without which prod stays.")] = False,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Empty the shared image repositories too.")
    ] = False,
    infra: Annotated[Path, typer.Option(help="Folder of the Terraform root.")] = Path("infra"),
    sweep_only: Annotated[bool, typer.Option("--sweep-only", help="Empty and report, without Terraform.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Leave the account: empty, destroy, sweep, print a receipt; exit 1 while anything billable is left."""
    from cabstand.jobs import destroy as job

    params = job.Params(environment, project, confirm, prod_too, with_images, None if sweep_only else infra, dry_run)
    if not dry_run and not confirm and (environment != "prod" or prod_too):
        typed = typer.prompt(
            f"Everything of {params.deployment.name} goes, data included. Type '{params.sentence}'", err=True
        )
        params = replace(params, confirmation=typed.strip())
    result = job.run(load_settings(), params)
    _show_receipt(result)
    emit(result)
    if not result["clean"]:
        raise CabstandError(f"{result['n_billable_left']} billable things are left", hint="see the receipt above")


def _show_receipt(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "name", "bills", title=f"Left of {result['environment']}")
    for one in result["left"]:
        table.add_row(one["kind"], one["name"], "yes" if one["billable"] else "no")
    console = Console(stderr=True)
    for name, count in result["emptied"].items():
        console.print(f"{name}: {count}")
    console.print(table if result["left"] else "Nothing is left.")

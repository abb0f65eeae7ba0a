"""Commands about the AWS account: what it costs, sleep and wake, leaving it."""

from __future__ import annotations

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

"""Commands about the AWS account: estimate its cost, deploy its service, put it to sleep, wake it, destroy it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cabstand import activity
from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import DryRun, finite
from cabstand.errors import CabstandError, ConfigError, TaskError

Environment = Annotated[str, typer.Option("--environment", "-e", help="dev or prod.")]
Project = Annotated[str, typer.Option(help="Project name in the resources' tags.")]
Infra = Annotated[Path, typer.Option(help="Folder of the Terraform root module.")]

app = typer.Typer()


@app.command()
def cost(
    plan: Annotated[Path, typer.Argument(help="Terraform plan in JSON, from `terraform show -json PLAN`.")],
    limit: Annotated[
        float | None, typer.Option(callback=finite, min=0, help="Fail if an idle month costs more USD.")
    ] = None,
    asleep_limit: Annotated[
        float | None, typer.Option(callback=finite, min=0, help="Fail if a month asleep costs more USD.")
    ] = None,
    run_minutes: Annotated[
        float, typer.Option(callback=finite, min=1, help="Assumed length of a batch run, in minutes.")
    ] = 10.0,
    region: Annotated[str, typer.Option(help="AWS region to price.")] = "us-east-1",
) -> None:
    """Price a Terraform plan offline. Covers a month idle and asleep, batch runs, and a million predictions."""
    from cabstand.jobs import cost as job

    params = job.Params(plan, limit, asleep_limit, run_minutes, region)
    result = job.run(load_settings(), params)
    _show_cost(result)
    emit(result)
    if result["over"]:
        raise CabstandError("; ".join(result["over"]), hint="see the table above")


def _show_cost(result: dict[str, Any]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("resource", "price", "quantity", "USD per unit", "idle", "asleep", "as of", title="USD per month")
    for line in sorted(result["lines"], key=lambda line: -line["idle_usd_month"]):
        amounts = (f"{line['idle_usd_month']:.2f}", f"{line['asleep_usd_month']:.2f}")
        unit = f"{line['unit_usd']:g} / {line['unit']}"
        table.add_row(line["address"], line["price"], f"{line['quantity']:g}", unit, *amounts, line["as_of"])
    table.add_section()
    table.add_row("total", "", "", "", f"{result['idle_usd_month']:.2f}", f"{result['asleep_usd_month']:.2f}", "")
    console.print(table)
    runs = Table("task", "vCPU", "GB", "minutes", "USD per run", title="Batch runs, on demand")
    for run in result["runs"]:
        sizes = (f"{run[name]:g}" for name in ("vcpu", "memory_gb", "minutes"))
        runs.add_row(run["task"], *sizes, f"{run['usd_run']:.3f}")
    if result["runs"]:
        console.print(runs)
    if result["million_predictions_usd"] is not None:
        console.print(f"A million predictions: {result['million_predictions_usd']:.2f} USD")
    console.print(f"Billed by use only: {', '.join(result['by_use']) or 'nothing'}")
    for name in result["unpriced"]:
        console.print(f"[red]No price:[/red] {name}")


@app.command()
def sleep(environment: Environment = "dev", project: Project = "cabstand", dry_run: DryRun = False) -> None:
    """Stop what bills while idle. That is schedules, the MLflow server and its database. Safe to repeat."""
    from cabstand.jobs import sleep as job

    result = job.run(load_settings(), job.Params(environment, project, dry_run))
    if not result["stays_asleep"]:
        say("RDS restarts a stopped database after seven days: run this again before then")
    emit(result)


@app.command()
def wake(environment: Environment = "dev", project: Project = "cabstand", dry_run: DryRun = False) -> None:
    """Start what `sleep` stopped. Safe to repeat."""
    from cabstand.jobs import wake as job
    from cabstand.jobs.sleep import Params

    emit(job.run(load_settings(), Params(environment, project, dry_run)))


@app.command()
def doctor(
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="dev or prod; local is the account of `cabstand local up`.")
    ] = "dev",
    project: Project = "cabstand",
) -> None:
    """Check an environment. Says of each part whether it is right, and what to do; exits with 1 if one is not."""
    from cabstand.jobs import doctor as job

    settings = load_settings()
    if environment == "local":
        from cabstand.local.stack import doctor as stack

        with stack.params(settings.home.resolve() / "local", project) as params:
            result = job.run(settings, params)
    else:
        result = job.run(settings, job.Params(environment, project))
    for check in result["checks"]:
        hint = f" ({check['hint']})" if check["hint"] else ""
        say(f"{check['status']:4}  {check['name']}: {check['found']}{hint}")
    emit(result)
    if result["failed"]:
        raise typer.Exit(1)


@app.command()
def deploy(
    environment: Environment = "dev",
    project: Project = "cabstand",
    steps: Annotated[str, typer.Option(help="Shares of the requests in percent, up to 100.")] = "10,50,100",
    watch: Annotated[
        float, typer.Option(callback=finite, min=0, help="How long each step is watched, in seconds.")
    ] = 300.0,
    every: Annotated[
        float, typer.Option(callback=finite, min=0.1, help="How often versions are compared, in seconds.")
    ] = 30.0,
    alpha: Annotated[
        float,
        typer.Option(callback=finite, min=1e-6, max=0.5, help="Probability of refusing a version that is not worse."),
    ] = 0.01,
    slowdown: Annotated[float, typer.Option(callback=finite, min=1, help="Durations may grow by this factor.")] = 1.25,
    url: Annotated[str, typer.Option(help="Address to check at the end, if AWS does not know it.")] = "",
    abort: Annotated[bool, typer.Option("--abort", help="Only undo a deployment that did not end.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Return to the version before, at once.")] = False,
) -> None:
    """Deploy the service's uploaded version. A canary shifts requests by steps, and rolls back if it does worse."""
    from cabstand.account.canary import Settings
    from cabstand.jobs import deploy as job

    if abort and rollback:
        raise ConfigError("choose one", where="--abort and --rollback")
    action: job.Action = "abort" if abort else "rollback" if rollback else "deploy"
    try:
        shares = tuple(float(one) / 100 for one in steps.split(","))
    except ValueError:
        raise ConfigError(f"not numbers: {steps}", where="--steps", hint="for example 10,50,100") from None
    settings = Settings(shares, watch, every, alpha, slowdown)
    result = job.run(load_settings(), job.Params(environment, project, action, url, settings))
    emit(result)
    if result["state"] == "rolled back" and action == "deploy":
        raise TaskError(f"version {result['to_version']} was rolled back: {result['reason']}", where=result["function"])


@app.command()
def unlock(
    lock: Annotated[str, typer.Argument(help="Lock id, as printed by the command that was refused.")],
    environment: Environment = "dev",
    project: Project = "cabstand",
    infra: Infra = Path("infra"),
) -> None:
    """Release the state lock of a dead run. Also finds what the run created, for `make deploy` to import."""
    from cabstand.jobs import unlock as job

    emit(job.run(load_settings(), job.Params(lock, environment, project, infra)))


@app.command()
def destroy(
    environment: Environment = "dev",
    project: Project = "cabstand",
    confirm: Annotated[str, typer.Option(help="Confirmation sentence, to skip the prompt.")] = "",
    prod_too: Annotated[bool, typer.Option("--prod-too", help="Also required to destroy prod.")] = False,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Empty the shared image repositories too.")
    ] = False,
    infra: Infra = Path("infra"),
    sweep_only: Annotated[bool, typer.Option("--sweep-only", help="Empty and report, without Terraform.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Destroy an environment and print a receipt. Exits with 1 while anything billable is left."""
    from cabstand.jobs import destroy as job

    params = job.Params(environment, project, confirm, prod_too, with_images, None if sweep_only else infra, dry_run)
    if not dry_run and not confirm and (environment != "prod" or prod_too):
        question = f"This deletes everything in {params.deployment.name}, data included. Type '{params.sentence}'"
        with activity.paused():
            params = replace(params, confirmation=typer.prompt(question, err=True).strip())
    result = job.run(load_settings(), params)
    _show_receipt(result)
    emit(result)
    if not result["clean"]:
        raise CabstandError(f"billable resources left: {result['n_billable_left']}", hint="see the receipt above")


def _show_receipt(result: dict[str, Any]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    for name, count in result["emptied"].items():
        console.print(f"{name}: {count}")
    table = Table("kind", "name", "billable", title=f"Left in {result['environment']}")
    for one in result["left"]:
        table.add_row(one["kind"], one["name"], "yes" if one["billable"] else "no")
    console.print(table if result["left"] else "Nothing is left.")

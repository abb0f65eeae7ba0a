"""Commands that run workflows, and show their runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cabstand import activity
from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import Artifacts, DryRun, Lake, Track, finite

File = Annotated[Path | None, typer.Option("--file", help="File of workflows; default: the package's own.")]
Name = Annotated[str, typer.Option("--workflow", help="Only runs of this workflow, or of `pipeline`.")]
State = Annotated[str, typer.Option(help="Only runs that are done, failed, running, interrupted or nothing to do.")]
Since = Annotated[str, typer.Option(help="Only runs that started on this day, YYYY-MM-DD, or later.")]
Limit = Annotated[int, typer.Option(help="Most runs to show.")]

app = typer.Typer()
workflow = typer.Typer(no_args_is_help=True, help="Run the workflows that the schedules start.")
runs = typer.Typer(help="Show the runs of workflows and pipelines.")
app.add_typer(workflow, name="workflow")
app.add_typer(runs, name="runs")


@workflow.command("list")
def list_workflows(file: File = None) -> None:
    """List the workflows. Shows each one's schedule and the commands of its steps."""
    load_settings()
    from cabstand.workflows import definitions

    emit({
        name: {"description": one.description, "schedule": one.schedule, "task": one.task, "steps": one.commands()}
        for name, one in definitions.load(file).items()
    })  # fmt: skip


@workflow.command("run")
def run_workflow(
    name: Annotated[str, typer.Argument(help="Workflow, such as daily-comparison.")],
    options: Annotated[list[str] | None, typer.Argument(help="After `--`: options of its task's job.")] = None,
    scheduled: Annotated[str, typer.Option(help="Time of a schedule's firing, whose run is not repeated.")] = "",
    file: File = None,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Track = True,
    again: Annotated[bool, typer.Option("--again", help="Start a new run, even if one is unfinished.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Run a workflow. Retries its steps, ends those that take too long, and goes on where a killed run stopped."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.workflows.execution import Params, run

    params = Params(
        name, tuple(options or ()), scheduled, file, track=track, again=again, dry_run=dry_run
    )  # fmt: skip
    emit(run(settings, params))


@runs.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    name: Name = "",
    state: State = "",
    since: Since = "",
    limit: Limit = 50,
    lake: Lake = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List the runs, newest first, unless a command follows."""
    if context.invoked_subcommand:
        return
    settings = load_settings(lake=lake)
    from cabstand.jobs.runs import Params, run

    found = run(settings, Params(name, state, since, limit))
    if as_json:
        emit(found)
    else:
        _print(found["runs"])


@runs.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of the run, or a unique beginning of it.")], lake: Lake = None
) -> None:
    """Describe a run. Shows its steps with logs, inputs and outputs, and what differs from the run before."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.runs import show as job

    emit(job(settings, key))


@runs.command()
def page(
    name: Name = "",
    state: State = "",
    since: Since = "",
    limit: Limit = 50,
    out: Annotated[str, typer.Option(help="Output folder; default: <home>/reports/runs.")] = "",
    lake: Lake = None,
) -> None:
    """Write the runs as HTML pages. One lists them, and each run has its own."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.runs import Params, write_pages

    emit(write_pages(settings, Params(name, state, since, limit), out))


@runs.command()
def exporter(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 9108,
    every: Annotated[float, typer.Option(callback=finite, help="Seconds between two looks at the lake.", min=0)] = 60.0,
    lake: Lake = None,
) -> None:
    """Serve metrics of the runs to Prometheus until stopped. Also the CPU time of this machine."""
    settings = load_settings(lake=lake)
    from cabstand.workflows.exporter import serve

    emit(serve(settings, host, port, every, _announce))


def _announce(url: str) -> None:
    activity.stop()  # it waits for requests from now on
    say(f"metrics are at {url}; stop with Ctrl-C")


def _print(found: list[dict[str, Any]]) -> None:
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    table = Table("started (UTC)", "run", "state", "steps", "seconds", "retries", box=None)
    for one in found:
        seconds = "" if one["seconds"] is None else f"{one['seconds']:.1f}"
        table.add_row(
            one["started"][:16].replace("T", " "),
            one["key"],
            one["state"],
            f"{one['done']} of {one['steps']}",
            seconds,
            str(one["retries"]),
        )
    console = Console()
    console.width = max(console.width, 100)  # in a narrow terminal lines wrap, and keys stay whole
    console.print(table)

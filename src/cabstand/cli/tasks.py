"""The command that runs a task of an environment in its cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cabstand.cli.account import Environment, Project
from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import finite
from cabstand.errors import TaskError

app = typer.Typer()


@app.command()
def run_task(
    task: Annotated[str, typer.Argument(help="Task definition, such as compare, pipeline or monitor.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Added to the task's command, after `--`.")] = None,
    environment: Environment = "dev",
    project: Project = "cabstand",
    limit_s: Annotated[
        float, typer.Option(callback=finite, min=1, help="Stop following after so many seconds; the task goes on.")
    ] = 21_600,
) -> None:
    """Run a task in the cluster and follow its log. Exits with 1 unless the task exits with 0."""
    load_settings()
    from cabstand.account import tasks
    from cabstand.account.deployment import Deployment
    from cabstand.io.aws import client

    cluster = Deployment(project, environment).name
    arn = tasks.start(client, f"{cluster}-{task}", added=arguments)
    say(f"started {arn}")
    ended = tasks.follow(client, cluster, arn, say, limit_s)
    emit(asdict(ended))
    if ended.exit_code != 0:
        raise TaskError(f"ended with exit code {ended.exit_code}: {ended.stopped_reason}", where=task)

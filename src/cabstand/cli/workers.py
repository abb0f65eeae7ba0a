"""The command that runs in the worker tasks of a distributed run."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("dask-worker")(dask_worker)


def dask_worker(
    n_workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; by default one for each CPU.")
    ] = None,
    memory_limit: Annotated[
        str, typer.Option(help="Memory limit of each process, such as 3GiB; auto is its share.")
    ] = "auto",
) -> None:
    """Work for the scheduler of a distributed run until it ends; the run's own tasks call this."""
    from cabstand.jobs import dask_worker as job

    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))

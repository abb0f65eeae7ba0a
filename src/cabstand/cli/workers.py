"""Commands that run in tasks of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("dask-worker")(dask_worker)


def dask_worker(
    n_workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a CPU by default.")] = None,
    memory_limit: Annotated[
        str, typer.Option(help="Memory of each process, such as 3GiB; auto is its share.")
    ] = "auto",
) -> None:
    """Work for a distributed run's scheduler, and leave with it; the run's tasks call this."""
    from cabstand.jobs import dask_worker as job

    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))

"""The command that distributed runs start in worker tasks."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings

app = typer.Typer()


@app.command()
def dask_worker(
    n_workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one per CPU.")] = None,
    memory_limit: Annotated[str, typer.Option(help="Memory per process, such as 3GiB; auto: its share.")] = "auto",
) -> None:
    """Run a Dask worker until its scheduler ends. Distributed runs start this in their tasks."""
    from cabstand.jobs import dask_worker as job

    emit(job.run(load_settings(), job.Params(n_workers, memory_limit)))

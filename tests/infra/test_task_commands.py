"""Each task definition runs a command that the batch image has, with options that it knows."""

from __future__ import annotations

import pytest
import typer

from batch_tasks import commands
from cabstand.cli import app


def test_all_nine_are_found() -> None:
    names = {"cluster-sequential", "cluster-multicore", "compare", "sweep", "train", "pipeline", "dask-worker"}
    assert commands().keys() == names | {"monitor", "retrain"}


@pytest.mark.parametrize("task", sorted(commands()))
def test_the_command_line_takes_it(task: str) -> None:
    program, job, *rest = commands()[task]
    assert program == "cabstand"
    group = typer.main.get_command(app)
    known = group.commands  # type: ignore[attr-defined]
    if job == "dask-worker" and job not in known:
        pytest.skip("not in this version of the package")
    assert known[job].make_context(job, rest).params  # parses, and runs nothing

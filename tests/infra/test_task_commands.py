"""Each task definition runs a command that the batch image has, with options that it knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from cabstand.cli import app

TASKS = Path(__file__).resolve().parents[2] / "infra/modules/batch/tasks.tf"
# What the expressions of the file stand for.
VALUES = {
    "local.clustering_input": '"s3://lake/trips/uber/2014-04.parquet"',
    "local.training_input": '"s3://lake/trips/green/2023-*.parquet"',
    "tostring(var.multicore_vcpu)": '"8"',
    "var.pipeline_dataset], local.pipeline_months": '"green", "--month", "2023-01", "--holdout-month", "2023-03"]',
}


def commands() -> dict[str, list[str]]:
    text = TASKS.read_text()
    for expression, value in VALUES.items():
        text = text.replace(expression, value)
    found = re.finditer(r"^    ([a-z-]+) = \{.*?command\s*= (?:concat\()?\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    return {one[1]: re.findall(r'"([^"]*)"', one[2]) for one in found}


def test_all_seven_are_found() -> None:
    names = {"cluster-sequential", "cluster-multicore", "compare", "sweep", "train", "pipeline", "dask-worker"}
    assert commands().keys() == names


@pytest.mark.parametrize("task", sorted(commands()))
def test_the_command_line_takes_it(task: str) -> None:
    program, job, *rest = commands()[task]
    assert program == "cabstand"
    group = typer.main.get_command(app)
    known = group.commands  # type: ignore[attr-defined]
    if job == "dask-worker" and job not in known:
        pytest.skip("not in this version of the package")
    assert known[job].make_context(job, rest).params  # parses, and runs nothing

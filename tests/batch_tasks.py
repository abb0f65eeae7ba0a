"""The commands of the task definitions, read from infra/modules/batch/tasks.tf."""

from __future__ import annotations

import re
from pathlib import Path

TASKS = Path(__file__).resolve().parents[1] / "infra/modules/batch/tasks.tf"
# What the expressions of the file stand for.
VALUES = {
    "local.clustering_input": '"newest:green"',
    "local.training_input": '"s3://lake/trips/green"',
    "tostring(var.multicore_vcpu)": '"8"',
    "var.pipeline.dataset], local.pipeline_months": '"green", "--newest", "3", "--no-fetch"]',
}


def commands() -> dict[str, list[str]]:
    """Command by task."""
    text = TASKS.read_text()
    for expression, value in VALUES.items():
        text = text.replace(expression, value)
    found = re.finditer(r"^    ([a-z-]+) = \{.*?command\s*= (?:concat\()?\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    return {one[1]: re.findall(r'"([^"]*)"', one[2]) for one in found}

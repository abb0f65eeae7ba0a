"""What a stack is doing: its parts, the tasks that run, the schedules that fire next."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cabstand.local.stack import terraform
from cabstand.local.stack.state import NAMES, State, required


def run(folder: Path) -> dict[str, Any]:
    """Return each part with its last log line and, if the emulator runs, tasks and schedules."""
    state = required(folder)
    found = {name: _part(state, name) for name in NAMES if name in state.parts}
    result = {"folder": str(folder), "starting": state.up is not None, "parts": found, "tasks": [], "schedules": []}
    if "outputs" in state.facts and found["emulator"]["running"]:
        result |= {"tasks": tasks(state), "schedules": _schedules(state)}
    return result


def _part(state: State, name: str) -> dict[str, Any]:
    part = state.parts[name]
    return {
        "running": part.process.alive,
        "pid": part.pid,
        "address": part.address,
        "restarts": part.restarts,
        "note": part.note,
        "log": last_line(state.log(name)),
    }


def last_line(log: Path) -> str:
    """Return the last line of a file that has text in it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


def tasks(state: State) -> list[dict[str, str]]:
    """Return the ECS tasks that have not stopped."""
    ecs, cluster = terraform.client(state, "ecs"), state.facts["outputs"]["batch"]["cluster_name"]
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [
        {
            "task": task["taskDefinitionArn"].rpartition("/")[2],
            "id": task["taskArn"].rpartition("/")[2],
            "status": task["lastStatus"],
        }
        for task in found
    ]


def _schedules(state: State) -> list[dict[str, str]]:
    """Return the enabled schedules with their expressions and, where the clock can tell, their next firing."""
    scheduler = terraform.client(state, "scheduler")
    pages = scheduler.get_paginator("list_schedules").paginate()
    names = [(one["GroupName"], one["Name"]) for page in pages for one in page["Schedules"]]
    found = [scheduler.get_schedule(GroupName=group, Name=name) for group, name in names]
    return [
        {"name": one["Name"], "expression": one["ScheduleExpression"], "next": _next(one)}
        for one in found
        if one["State"] == "ENABLED"
    ]


def _next(schedule: dict[str, Any]) -> str:
    if find_spec("cabstand.local.clock") is None:
        return ""
    del schedule
    return datetime.now(UTC).isoformat()

"""What a stack is doing: its parts, the tasks that run or have ended, the schedules that fire next."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from cabstand.local import clock
from cabstand.local.stack import terraform
from cabstand.local.stack.state import NAMES, State, required

N_FIRINGS = 5
STOPPED = "STOPPED"
PAGE = 100  # most tasks that DescribeTasks takes


def run(folder: Path) -> dict[str, Any]:
    """Return each part with its last log line and, if the emulator runs, tasks and schedules."""
    state = required(folder)
    found = {name: _part(state, name) for name in NAMES if name in state.parts}
    result = {"folder": str(folder), "starting": state.up is not None, "parts": found}
    result |= {"tasks": [], "ended": [], "schedules": [], "denied": denied(state)}
    if "outputs" in state.facts and found["emulator"]["running"]:
        every = tasks(state)  # in one look: none is left out that stops meanwhile
        result["tasks"] = [one for one in every if one["status"] != STOPPED]
        result["ended"] = [one for one in every if one["status"] == STOPPED]
        result["schedules"] = _schedules(state)
    return result


def denied(state: State) -> list[dict[str, Any]]:
    """Return the calls that the emulator has refused, with role, action and resource; each once."""
    if not state.calls.exists():
        return []
    whole, _, _ = state.calls.read_text(encoding="utf-8").rpartition("\n")  # the last line may be on its way
    calls = (json.loads(line) for line in whole.splitlines())
    return [call for call in calls if not call["allowed"]]


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


def tasks(state: State) -> list[dict[str, Any]]:
    """Return the ECS tasks that run, and those that have stopped within the last hour, the oldest first."""
    return [_task(task) for task in _listed(state)]


def _listed(state: State) -> list[dict[str, Any]]:
    """Return the tasks that ECS knows, the oldest first."""
    ecs, cluster = terraform.client(state, "ecs"), state.facts["outputs"]["batch"]["cluster_name"]
    arns = dict.fromkeys(  # one that stops meanwhile is on both lists
        arn
        for status in ("RUNNING", STOPPED)
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status)
        for arn in page["taskArns"]
    )
    pages = [list(arns)[start : start + PAGE] for start in range(0, len(arns), PAGE)]
    found = [task for page in pages for task in ecs.describe_tasks(cluster=cluster, tasks=page)["tasks"]]
    return sorted(found, key=lambda one: str(one["createdAt"]))


def _task(task: dict[str, Any]) -> dict[str, Any]:
    found = {
        "task": task["taskDefinitionArn"].rpartition("/")[2],
        "id": task["taskArn"].rpartition("/")[2],
        "status": task["lastStatus"],
    }
    if task["lastStatus"] == STOPPED:
        found |= {"exit_code": task["containers"][0].get("exitCode"), "reason": task.get("stoppedReason", "")}
    return found


def _schedules(state: State) -> list[dict[str, str]]:
    """Return the next firings of the enabled schedules."""
    found = clock.next_firings(partial(terraform.client, state), N_FIRINGS)
    return [{"name": name, "next": at.isoformat()} for name, at in found]

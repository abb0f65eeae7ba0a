"""What a GitHub workflow of this repository must be: each fault is a line that names the file and the job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

USES = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40}")
PIN = re.compile(r"uses: *([^@\s]+)@(.*)")
VERSION = re.compile(r"[0-9a-f]{40} # v\d+\.\d+\.\d+")
TARGET = re.compile(r"make ([a-z][a-z-]*)((?: [A-Za-z_]+=\"?[\w$./-]+\"?)*)")
# Everything else is reached by a token that lives for minutes.
SECRETS = {"SMOKE_API_KEY"}  # optional, one key of the service with a quota of its own
LONGEST_MIN = 90
Workflow = dict[str, Any]


def faults(texts: Mapping[str, str], makefile: str, permissions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what is wrong with workflows, by name; `permissions` is the reviewed table of `workflow.job`."""
    workflows = {name: yaml.safe_load(text) for name, text in texts.items()}
    found = []
    for name, workflow in workflows.items():
        found += [f"{name}: {fault}" for fault in of_workflow(workflow, texts[name])]
        for job, body in workflow["jobs"].items():
            reviewed = permissions.get(f"{name}.{job}")
            checks = (of_job(body, workflows), of_permissions(body, reviewed), of_steps(body, makefile), of_cache(body))
            found += [f"{name}.{job}: {fault}" for check in checks for fault in check]
    jobs = {f"{name}.{job}" for name, workflow in workflows.items() for job in workflow["jobs"]}
    found += [f"{gone}: reviewed, but there is no such job" for gone in sorted(permissions.keys() - jobs)]
    return found + list(of_pins(texts))


def of_workflow(workflow: Workflow, text: str) -> Iterator[str]:
    """Yield the faults of a workflow as a whole."""
    if workflow.get("permissions") != {}:
        yield "permissions are not {}"
    if not workflow.get("concurrency", {}).get("group"):
        yield "no concurrency group"
    # These run code of a stranger's pull request with the repository's own rights.
    if set(workflow[True]) & {"pull_request_target", "workflow_run"}:  # YAML reads the key `on` as true
        yield "started by an event that strangers control"
    for secret in set(re.findall(r"secrets\.(\w+)", text)) - SECRETS:
        yield f"a long-lived key: {secret}"
    if re.search(r"secrets: *inherit|secrets\[|toJSON\(secrets", text):
        yield "all secrets are handed over"


def of_job(job: dict[str, Any], workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield the faults of a job's frame."""
    if "uses" in job:
        called = re.fullmatch(r"\./\.github/workflows/([\w-]+)\.yml", job["uses"])
        if not called or "workflow_call" not in workflows.get(called[1], {}).get(True, {}):
            yield f"calls {job['uses']}"
    elif not 0 < job.get("timeout-minutes", 0) <= LONGEST_MIN:
        yield f"no time-out of at most {LONGEST_MIN} minutes"
    if job.get("continue-on-error"):
        yield "its failure is ignored"


def of_permissions(job: dict[str, Any], reviewed: Mapping[str, str] | None) -> Iterator[str]:
    """Yield a difference between what a job may and what was reviewed."""
    if reviewed is None:
        yield "not in the table of permissions"
    elif job.get("permissions") != {name: right for name, right in reviewed.items() if name != "why"}:
        yield f"may {job.get('permissions')}, reviewed was {dict(reviewed)}"


def of_steps(job: dict[str, Any], makefile: str) -> Iterator[str]:
    """Yield the faults of a job's steps."""
    for step in job.get("steps", []):
        if "run" in step:
            told = TARGET.fullmatch(step["run"])
            if not told or not re.search(rf"^{told[1]}:", makefile, re.M):
                yield f"not a make target alone: {step['run']!r}"
            continue
        action, given = step["uses"].partition("@")[0], step.get("with", {})
        if not USES.fullmatch(step["uses"]):
            yield f"no full SHA: {step['uses']}"
        if action == "actions/checkout" and given.get("persist-credentials") is not False:
            yield "the checkout keeps its token"
        for name in given:
            if re.search(r"access-key|password|secret|^token$|session-token", name):
                yield f"{action} gets {name}"


def of_cache(job: dict[str, Any]) -> Iterator[str]:
    """Yield whether the job installs packages without a cache, or with one though it writes or makes a release."""
    steps = job.get("steps", [])
    actions = {step.get("uses", "").partition("@")[0] for step in steps}
    installs = any(step.get("run") == "make setup" for step in steps)
    writes = "write" in (job.get("permissions") or {}).values() or "actions/upload-artifact" in actions
    if "actions/cache" in actions and writes:
        yield "writes, and takes packages from a cache that other jobs fill"
    if installs and not writes and "actions/cache" not in actions:
        yield "downloads its packages each time: no cache"


def of_pins(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the pins without a version beside them, and the actions with several."""
    pins: dict[str, set[str]] = {}
    for name, text in texts.items():
        for action, pin in PIN.findall(text):
            if not VERSION.fullmatch(pin):
                yield f"{name}: no version beside {action}@{pin}"
            pins.setdefault(action, set()).add(pin)
    yield from (f"{action} has several pins: {sorted(found)}" for action, found in pins.items() if len(found) > 1)

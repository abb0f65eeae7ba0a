"""The tasks: their images, the schedules that start them, and those that should have ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cabstand.account import schedules
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.io.aws import call, items

# No task of ours takes so long, unless its tag LifetimeSeconds says so.
LIFETIME = timedelta(hours=24)
_PAGE = 100  # most tasks that DescribeTasks takes


def images(subject: Subject) -> Iterator[Line]:
    """Look for the images that the tasks use."""
    for used in sorted({one["containerDefinitions"][0]["image"] for one in subject.definitions}):
        name, _, tag = used.partition("/")[2].partition(":")
        if subject.on_laptop and not _images(name):
            yield Line("image", "ok", "none is needed: tasks run as processes, or in the local batch image")
        elif _images(name, imageIds=[{"imageTag": tag}]):
            yield Line("image", "ok", f"{name}:{tag} is in the repository")
        else:
            yield Line("image", "fail", f"{name}:{tag} is not in the repository", f"make push-images TAG={tag}")


def _images(repository: str, **which: Any) -> list[Any]:
    answer = call("ecr", "describe_images", missing_ok=True, repositoryName=repository, **which)
    return list(answer.get("imageDetails", []))


def schedule_states(subject: Subject) -> Iterator[Line]:
    """Look for schedules that are off."""
    own, keeper = subject.schedules, subject.deployment.stay_asleep_schedule
    jobs = {name: enabled for name, enabled in own.items() if name != keeper}
    off = sorted(name for name, enabled in jobs.items() if not enabled)
    if not jobs:
        yield Line("schedules", "warn", "there are none", "make deploy creates them")
    elif not off:
        yield Line("schedules", "ok", f"{len(jobs)} are on")
    elif subject.is_asleep or set(off) & set(schedules.load_disabled(subject.deployment)):
        yield Line("schedules", "warn", f"off while the environment sleeps: {', '.join(off)}", "make wake")
    else:
        hint = "make deploy turns them on once there is a batch image; schedule_overrides may turn some off"
        yield Line("schedules", "warn", f"off: {', '.join(off)}", hint)


def orphans(subject: Subject) -> Iterator[Line]:
    """Look for tasks that run longer than they may."""
    cluster = subject.deployment.name
    arns = list(items("ecs", "list_tasks", "taskArns[]", missing_ok=True, cluster=cluster))
    pages = [arns[start : start + _PAGE] for start in range(0, len(arns), _PAGE)]
    found = [
        one
        for page in pages
        for one in call("ecs", "describe_tasks", cluster=cluster, tasks=page, include=["TAGS"])["tasks"]
    ]
    running = [one for one in found if one["lastStatus"] != "STOPPED"]
    late = [one for one in running if datetime.now(UTC) - _begun(one) > _lifetime(one)]
    for one in late:
        task, name = one["taskArn"].rpartition("/")[2], one["taskDefinitionArn"].rpartition("/")[2]
        found_ = f"{name} {task} was to end by {_begun(one) + _lifetime(one):%Y-%m-%d %H:%M} UTC"
        yield Line("orphaned tasks", "fail", found_, f"aws ecs stop-task --cluster {cluster} --task {task}")
    if not late:
        yield Line("orphaned tasks", "ok", f"none; {len(running)} running")


def _begun(task: dict[str, Any]) -> datetime:
    begun: datetime = task.get("startedAt") or task.get("createdAt") or datetime.now(UTC)
    return begun


def _lifetime(task: dict[str, Any]) -> timedelta:
    """Return how long a task may run: a worker's tag says so."""
    tags = {tag["key"]: tag["value"] for tag in task.get("tags", [])}
    seconds = tags.get("LifetimeSeconds", "")
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() else LIFETIME


CHECKS = {"image": images, "schedules": schedule_states, "orphaned tasks": orphans}

"""Probes of the patches of ECS: see test_patches.py."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ecs_cluster import Cluster
from emulator import Clients, deliver, messages, queue


def task_records(aws: Clients) -> bool:
    cluster = Cluster(aws)
    family = cluster.define(tags=[{"key": "Project", "value": "cabstand"}])
    spot = [{"capacityProvider": "FARGATE", "weight": 0}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    arn = cluster.start(family, ["--help"], capacityProviderStrategy=spot, propagateTags="TASK_DEFINITION")
    for _ in range(10):
        task = cluster.task(arn)
    (container,) = task["containers"]
    return (
        (task["lastStatus"], task["desiredStatus"], container["lastStatus"]) == ("PROVISIONING", "RUNNING", "PENDING")
        and "exitCode" not in container
        and (task["launchType"], task.get("capacityProviderName")) == ("FARGATE", "FARGATE_SPOT")
        and task["overrides"] == {"containerOverrides": [{"name": "task", "command": ["--help"]}]}
        and task["tags"] == [{"key": "Project", "value": "cabstand"}]
    )


def task_overrides(aws: Clients) -> bool:
    cluster = Cluster(aws)
    family, message = cluster.define(), "Override for container named other is not a container in the TaskDefinition."
    try:
        cluster.start(family, overrides={"containerOverrides": [{"name": "other"}]})
    except ClientError as error:
        return error.response["Error"] == {"Code": "InvalidParameterException", "Message": message}
    return False


def task_tokens(aws: Clients) -> bool:
    cluster = Cluster(aws)
    family = cluster.define()
    first, second, other = (cluster.start(family, clientToken=token) for token in ("a", "a", "b"))
    try:
        cluster.start(family, ["--help"], clientToken="a")
    except ClientError as error:
        return error.response["Error"]["Code"] == "ConflictException" and first == second != other
    return False


def task_stops(aws: Clients) -> bool:
    cluster = Cluster(aws)
    arn = cluster.start(cluster.define())
    cluster.stop(arn, "enough")
    cluster.stop(arn, "again")
    task = cluster.task(arn)
    found = task["lastStatus"], task["desiredStatus"], task.get("stopCode"), task["stoppedReason"]
    return found == ("PROVISIONING", "STOPPED", "UserInitiated", "enough")


def task_lists(aws: Clients) -> bool:
    cluster = Cluster(aws)
    family, other = cluster.define(), cluster.define("other")
    kept, stopped, foreign = cluster.start(family), cluster.start(family), cluster.start(other)
    cluster.stop(stopped)
    aws("ecs").deregister_task_definition(taskDefinition=f"{other}:1")

    def listed(**query: str) -> set[str]:
        return set(aws("ecs").list_tasks(cluster=cluster.name, **query)["taskArns"])

    running = listed() == {kept, foreign}
    return running and listed(family=other) == {foreign} and listed(desiredStatus="STOPPED") == {stopped}


def task_changes(aws: Clients) -> bool:
    cluster, told = Cluster(aws), Told(aws)
    arn = cluster.start(cluster.define())
    submit = {"cluster": cluster.name, "task": arn}
    aws("ecs").submit_task_state_change(**submit, status="PENDING", pullStartedAt=datetime.now(UTC))
    aws("ecs").submit_container_state_change(**submit, containerName="task", status="RUNNING", runtimeId="1")
    aws("ecs").submit_task_state_change(**submit, status="RUNNING")
    ended = {"containerName": "task", "exitCode": 137, "reason": "OutOfMemoryError", "status": "STOPPED"}
    reason = "Essential container in task exited"
    aws("ecs").submit_task_state_change(**submit, status="STOPPED", reason=reason, containers=[ended])
    aws("ecs").submit_task_state_change(**submit, status="RUNNING", reason="too late")
    task = cluster.task(arn)
    times = [
        int(task[name].timestamp()) for name in ("createdAt", "pullStartedAt", "startedAt", "stoppingAt", "stoppedAt")
    ]
    assert times == sorted(times)
    assert (task["stopCode"], task["stoppedReason"], task["desiredStatus"]) == (
        "EssentialContainerExited",
        reason,
        "STOPPED",
    )
    assert (
        aws("ec2").describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [cluster.subnet]}])[
            "NetworkInterfaces"
        ]
        == []
    )
    events = told.of(arn, 5)
    assert [one["version"] for one in events] == [1, 2, 3, 4, 6]
    assert [one["lastStatus"] for one in events] == ["PROVISIONING", "PENDING", "PENDING", "RUNNING", "STOPPED"]
    assert events[-1]["containers"][0]["exitCode"] == 137
    assert events[-1]["stoppedAt"].endswith("Z")
    old = cluster.start(cluster.define())
    past = datetime.now(UTC) - timedelta(minutes=61)
    aws("ecs").submit_task_state_change(cluster=cluster.name, task=old, status="STOPPED", executionStoppedAt=past)
    return aws("ecs").list_tasks(cluster=cluster.name, desiredStatus="STOPPED")["taskArns"] == [arn]


class Told:
    """Receives the events of ECS in a queue of its own."""

    def __init__(self, aws: Clients) -> None:
        self.aws, self.queue, self.details = aws, queue(aws, "told"), list[dict[str, Any]]()
        aws("events").put_rule(Name="told", EventPattern=json.dumps({"source": ["aws.ecs"]}))
        aws("events").put_targets(Rule="told", Targets=[{"Id": "q", "Arn": self.queue}])

    def of(self, task: str, count: int) -> list[dict[str, Any]]:
        """Return that many details of a task's events, in order."""
        for _ in range(600):  # the emulator sends them from a thread of its own
            deliver(self.aws)
            self.details += [json.loads(one["Body"])["detail"] for one in messages(self.aws, self.queue)]
            found = [one for one in self.details if one["taskArn"] == task]
            if len(found) >= count:
                return sorted(found, key=lambda one: one["version"])
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} of {count} events came")


PROBES = {
    probe.__name__: probe for probe in (task_records, task_overrides, task_tokens, task_stops, task_lists, task_changes)
}

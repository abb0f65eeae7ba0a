"""ECS: tasks stay as RunTask accepted them until an agent reports a change.

moto lets a task run and end by being described. Here `cabstand.local.runner` is the agent.
"""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any
from uuid import uuid4

from cabstand.local.emulator.patches.task_events import announce

_LOCK = threading.Lock()
_FARGATE = ("FARGATE", "FARGATE_SPOT")


def task_records() -> None:
    """RunTask: store a task as PROVISIONING, with each container and all that DescribeTasks shows on AWS of a new one.

    DescribeTasks changes nothing, and reports unknown tasks as failures.
    """
    from moto.ecs.models import Task
    from moto.ecs.responses import EC2ContainerServiceResponse

    stock_init = Task.__init__
    stock_run = EC2ContainerServiceResponse.run_task
    stock_describe = EC2ContainerServiceResponse.describe_tasks

    def init(self: Any, cluster: Any, task_definition: Any, *args: Any, **kwargs: Any) -> None:
        stock_init(self, cluster, task_definition, *args, **kwargs)
        _complete(self, task_definition)

    def run_task(self: Any) -> Any:
        _choose_provider(self.params)
        answer = stock_run(self)
        for task in answer.result["tasks"]:
            task.tags = _tags(self, task)
            announce(task)
        return answer

    def describe_tasks(self: Any) -> Any:
        answer = stock_describe(self)
        cluster = self._get_param("cluster", "default").split("/")[-1]
        found = [task for task in answer.result["tasks"] if task.cluster_name == cluster]
        known = {task.id for task in found}
        asked = self._get_param("tasks", [])
        missing = [{"arn": one, "reason": "MISSING"} for one in asked if one.split("/")[-1] not in known]
        answer.result.update(tasks=found, failures=missing)
        return answer

    Task.__init__ = init
    Task.advance = lambda self: None
    Task.last_status = property(lambda self: self._status, lambda self, value: setattr(self, "_status", value))
    EC2ContainerServiceResponse.run_task = run_task
    EC2ContainerServiceResponse.describe_tasks = describe_tasks


def _complete(task: Any, definition: Any) -> None:
    """Add what moto leaves out of a new task."""
    from moto.core.utils import utcnow
    from moto.ec2 import ec2_backends

    task.id = uuid4().hex
    task.last_status = "PROVISIONING"
    task.stopped_reason = None
    task.version = 1
    task.created_at = task.updated_at = task.connectivity_at = utcnow()
    task.connectivity = "CONNECTED"
    task.cpu = task.overrides.get("cpu") or definition.cpu
    task.memory = task.overrides.get("memory") or definition.memory
    if task.launch_type == "FARGATE" or task.capacity_provider_name in _FARGATE:
        task.launch_type = "FARGATE"
        task.platform_family = "Linux"
        task.platform_version = "1.4.0" if task.platform_version in {None, "LATEST"} else task.platform_version
    interfaces = []
    for attachment in task.attachments:
        attachment["status"] = "PRECREATED"
        details = {one["name"]: one["value"] for one in attachment["details"]}
        interfaces.append({"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]})
        subnet = ec2_backends[task._account_id][task.region_name].get_subnet(details["subnetId"])
        task.availability_zone = subnet.availability_zone
    task.containers = [_container(task, one, interfaces) for one in definition.container_definitions]
    overridden = {one.get("name") for one in task.overrides.get("containerOverrides", [])}
    others = [{"name": one["name"]} for one in task.containers if one["name"] not in overridden]
    task.overrides = {**task.overrides, "containerOverrides": [*task.overrides.get("containerOverrides", []), *others]}


def _container(task: Any, definition: dict[str, Any], interfaces: list[dict[str, str]]) -> dict[str, Any]:
    found = {
        "containerArn": f"{task.task_arn.replace(':task/', ':container/')}/{uuid4()}",
        "taskArn": task.task_arn,
        "name": definition["name"],
        "image": definition.get("image"),
        "lastStatus": "PENDING",
        "networkInterfaces": deepcopy(interfaces),
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu", 0)),
    }
    sizes = {name: str(definition[name]) for name in ("memory", "memoryReservation") if definition.get(name)}
    return found | sizes


def _choose_provider(params: dict[str, Any]) -> None:
    """Put the provider first that gets a single task: one with a base, otherwise the one with the greatest weight."""
    strategy = params.get("capacityProviderStrategy") or []
    strategy.sort(key=lambda one: (-(one.get("base") or 0), -(one.get("weight") or 0)))


def _tags(response: Any, task: Any) -> list[dict[str, str]]:
    tags = {tag["key"]: tag["value"] for tag in response._get_param("tags") or []}
    if response._get_param("propagateTags") == "TASK_DEFINITION":
        definition = response.ecs_backend.describe_task_definition(task.task_definition_arn)
        tags = {tag["key"]: tag["value"] for tag in definition.tags} | tags
    if response._get_param("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = task.cluster_name
    return [{"key": key, "value": value} for key, value in tags.items()]


def task_overrides() -> None:
    """RunTask: refuse overrides for a container that the definition does not have; moto ignores them."""
    from moto.ecs.exceptions import InvalidParameterException
    from moto.ecs.responses import EC2ContainerServiceResponse

    stock = EC2ContainerServiceResponse.run_task

    def run_task(self: Any) -> Any:
        overrides = (self._get_param("overrides") or {}).get("containerOverrides") or []
        definition = self.ecs_backend.describe_task_definition(self._get_param("taskDefinition"))
        names = {one["name"] for one in definition.container_definitions}
        for name in [one["name"] for one in overrides if one.get("name") and one["name"] not in names]:
            message = f"Override for container named {name} is not a container in the TaskDefinition."
            raise InvalidParameterException(message)
        return stock(self)

    EC2ContainerServiceResponse.run_task = run_task


def task_tokens() -> None:
    """RunTask: return the tasks of the first call to a second with its client token; moto starts tasks again."""
    from moto.core.responses import ActionResult
    from moto.ecs.exceptions import ECSException
    from moto.ecs.responses import EC2ContainerServiceResponse

    stock = EC2ContainerServiceResponse.run_task

    def run_task(self: Any) -> Any:
        token, request = self._get_param("clientToken"), deepcopy(dict(self.params))
        if not token:
            return stock(self)
        with _LOCK:
            answers = self.ecs_backend.__dict__.setdefault("answers_by_token", {})
            if token not in answers:
                answers[token] = request, stock(self).result
        first, result = answers[token]
        if first != request:
            what = "The provided clientToken is already in use with a different RunTask request."
            raise ECSException("ConflictException", f"The RunTask request could not be processed: {what}")
        return ActionResult(result)

    EC2ContainerServiceResponse.run_task = run_task

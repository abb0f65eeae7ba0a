"""ECS: how a task changes after RunTask, by StopTask and by the calls of the agent that runs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore import xform_name

from cabstand.local.emulator.patches.task_events import announce

KEPT = timedelta(hours=1)  # AWS shows a stopped task for at least so long
# What AWS itself ends a task for, as its stoppedReason says it.
_INTERRUPTIONS = {
    "Your Spot Task was interrupted.": "SpotInterruption",
    "ECS is performing maintenance on the underlying infrastructure hosting the task.": "TerminationNotice",
}


def task_stops() -> None:
    """StopTask: ask for the stop and leave it to the agent; moto answers that the task has stopped."""
    from moto.ecs.models import EC2ContainerServiceBackend

    def stop_task(self: Any, cluster_str: str, task_str: str, reason: str) -> Any:
        task = _task(self, cluster_str, task_str)
        if task.desired_status != "STOPPED":
            _ask_to_stop(task, "UserInitiated", reason or "Task stopped by user")
            announce(task)
        return task

    EC2ContainerServiceBackend.stop_task = stop_task


def task_lists() -> None:
    """ListTasks: by default those that shall run; and stopped ones for an hour.

    moto lists all by default, those of clusters whose names begin alike too, and none of a deregistered definition.
    """
    from moto.ecs.models import EC2ContainerServiceBackend

    def list_tasks(
        self: Any,
        cluster_str: str = "default",
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desired_status: str | None = None,
    ) -> list[Any]:
        tasks = list(_kept(self, self._get_cluster(cluster_str).name).values())
        if container_instance:
            tasks = [one for one in tasks if (one.container_instance_arn or "").endswith(container_instance)]
        if family:
            tasks = [one for one in tasks if one.task_definition_arn.split("/")[-1].rpartition(":")[0] == family]
        if started_by:
            tasks = [one for one in tasks if one.started_by == started_by]
        if service_name:
            tasks = [one for one in tasks if one.group == f"service:{service_name}"]
        return [one for one in tasks if one.desired_status == (desired_status or "RUNNING")]

    EC2ContainerServiceBackend.list_tasks = list_tasks


def task_changes() -> None:
    """SubmitTaskStateChange and SubmitContainerStateChange, with which an agent reports; moto knows neither."""
    from moto.core.responses import ActionResult
    from moto.ecs.responses import EC2ContainerServiceResponse

    def submit_task_state_change(self: Any) -> Any:
        task = _task(self.ecs_backend, self._get_param("cluster", "default"), self._get_param("task"))
        if task.last_status != "STOPPED":
            for container in self._get_param("containers") or []:
                _change_container(task, container)
            for name in ("pullStartedAt", "pullStoppedAt", "executionStoppedAt"):
                if at := self._get_param(name):
                    setattr(task, xform_name(name), at.replace(tzinfo=None))
            _change(task, self._get_param("status"), self._get_param("reason"))
            announce(task)
        return ActionResult({"acknowledgment": "ACK"})

    def submit_container_state_change(self: Any) -> Any:
        task = _task(self.ecs_backend, self._get_param("cluster", "default"), self._get_param("task"))
        if task.last_status != "STOPPED":
            _change_container(task, self.params)
            task.version += 1
            announce(task)
        return ActionResult({"acknowledgment": "ACK"})

    EC2ContainerServiceResponse.submit_task_state_change = submit_task_state_change
    EC2ContainerServiceResponse.submit_container_state_change = submit_container_state_change


def _task(backend: Any, cluster: str, task: str) -> Any:
    from moto.ecs.exceptions import InvalidParameterException

    identity = task.rpartition("/")[2]
    for found in _kept(backend, backend._get_cluster(cluster).name).values():
        if found.id == identity:
            return found
    raise InvalidParameterException("The referenced task was not found.")


def _kept(backend: Any, cluster: str) -> dict[str, Any]:
    """Return the tasks of a cluster by ARN, after forgetting those that stopped long ago."""
    from moto.core.utils import utcnow

    tasks: dict[str, Any] = backend.tasks.setdefault(cluster, {})
    for arn, task in list(tasks.items()):
        if task.last_status == "STOPPED" and utcnow() - task.execution_stopped_at > KEPT:
            tasks.pop(arn, None)
    return tasks


def _ask_to_stop(task: Any, code: str, reason: str | None) -> None:
    from moto.core.utils import utcnow

    if task.desired_status != "STOPPED":
        task.desired_status, task.stop_code, task.stopped_reason = "STOPPED", code, reason
        task.stopping_at = task.updated_at = utcnow()
        task.version += 1


def _change(task: Any, status: str, reason: str | None) -> None:
    """Move a task to a status, and derive from it what AWS derives."""
    from moto.core.utils import utcnow

    now = utcnow()
    if reason in _INTERRUPTIONS:
        _ask_to_stop(task, _INTERRUPTIONS[reason], reason)
    if status != task.last_status:
        task.version += 1
    if status == "RUNNING" and not getattr(task, "started_at", None):
        task.started_at = now
    if status in {"DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"}:
        _ask_to_stop(task, "EssentialContainerExited" if hasattr(task, "started_at") else "TaskFailedToStart", reason)
    task.last_status, task.updated_at = status, now
    if status == "STOPPED":
        task.stopped_at = now
        task.execution_stopped_at = getattr(task, "execution_stopped_at", now)
        for container in task.containers:
            container["lastStatus"] = "STOPPED"
    _change_network(task)


def _change_network(task: Any) -> None:
    """Attach the network interface of a task, or delete it: a subnet with one cannot be deleted."""
    from moto.ec2 import ec2_backends

    for attachment in task.attachments:
        attachment["status"] = "DELETED" if task.last_status == "STOPPED" else "ATTACHED"
        if task.last_status == "STOPPED":
            (interface,) = (one["value"] for one in attachment["details"] if one["name"] == "networkInterfaceId")
            ec2_backends[task._account_id][task.region_name].enis.pop(interface, None)


def _change_container(task: Any, change: Any) -> None:
    for container in task.containers:
        if container["name"] == change.get("containerName"):
            kept = {name: change.get(name) for name in ("exitCode", "reason", "runtimeId", "imageDigest")}
            container |= {name: value for name, value in kept.items() if value is not None}
            container["lastStatus"] = change.get("status") or container["lastStatus"]

"""The runner: looks for tasks that ECS accepted or wants stopped, and has them run and stopped."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.errors import TaskError
from cabstand.local.runner import container, memory, order, processes
from cabstand.local.runner.endpoint import Endpoint
from cabstand.local.runner.life import Life, Tools
from cabstand.local.runner.order import Clients
from cabstand.local.runner.reports import Reporter

_log = logging.getLogger(__name__)
_SPOT = "Your Spot Task was interrupted."
_KILLED = 137
_END_S = 10.0
_RARELY = 10  # looks
_PAGE = 100  # most tasks that DescribeTasks takes


@dataclass(frozen=True)
class Options:
    """How a runner runs tasks.

    Tasks run at once while their definitions' vCPUs sum to `vcpus` or less, or one alone; the others wait. That may be
    more than the machine has: a distributed run is idle while its workers are not.
    """

    vcpus: float = 8.0
    image: str | None = "localhost/cabstand-batch:latest"  # used if podman or Docker has it; None: always processes
    spot_notice_s: float = 120.0
    look_s: float = 1.0
    # In the account's network, each with the one here: MLflow's, in the variables of the tasks.
    addresses: Mapping[str, str] = field(default_factory=dict)


def run(client: Clients, folder: Path, stop: threading.Event, options: Options | None = None) -> None:
    """Run tasks until `stop` is set, and then end those that still run."""
    runner = Runner(cache(client), folder, stop, options or Options())
    try:
        while not stop.is_set():
            runner.look()
            stop.wait(runner.options.look_s)
    finally:
        runner.close()


def interrupt(client: Clients, cluster: str, task: str) -> None:
    """Take a task's Spot capacity away: ECS announces it, and the runner stops the task after its notice."""
    (found,) = client("ecs").describe_tasks(cluster=cluster, tasks=[task])["tasks"]
    client("ecs").submit_task_state_change(cluster=cluster, task=task, status=found["lastStatus"], reason=_SPOT)


class Runner:
    """The tasks of one emulator; `folder` has a folder of each task while it runs."""

    def __init__(self, client: Clients, folder: Path, stop: threading.Event, options: Options) -> None:
        self.client, self.folder, self.options = client, folder / "tasks", options
        client("sts"), client("ecs"), client("ecr")  # before there are threads
        self.tools = Tools(Reporter(client, stop), Endpoint(), options.image, options.addresses)
        self.lives: dict[str, Life] = {}
        self._ended: set[str] = set()  # ECS shows them for an hour
        self._open: dict[str, str] = {}  # cluster by task
        self._n_looks = 0
        self._away = False
        self._end_orphans()

    def look(self) -> None:
        """Start, stop and forget tasks as ECS now wants."""
        try:
            self._look()
        except (BotoCoreError, ClientError) as error:
            if not self._away:
                _log.warning("the emulator does not answer, and tasks go on meanwhile: %s", error)
            self._away = True
        else:
            if self._away:
                _log.info("the emulator answers again")
            self._away = False

    def _look(self) -> None:
        tasks = self._tasks()
        for arn in [arn for arn, life in self.lives.items() if not life.is_alive()]:
            self._ended.add(arn)
            del self.lives[arn]
        for arn, life in self.lives.items():
            if arn not in tasks:
                life.abandon("ECS no longer knows the task.")
        for task in sorted(tasks.values(), key=lambda one: str(one["createdAt"])):
            self._serve(task)

    def close(self) -> None:
        """End all tasks at once."""
        for life in self.lives.values():
            life.abandon("The runner was stopped.")
        for life in self.lives.values():
            life.join(_END_S)
        self.tools.endpoint.close()

    def _tasks(self) -> dict[str, Any]:
        """Return the tasks that have not stopped, by ARN."""
        ecs, found = self.client("ecs"), {}
        # A task known from before is looked at in any case; one that came and was stopped in between is seen later.
        wanted = ("RUNNING",) if self._n_looks % _RARELY else ("RUNNING", "STOPPED")
        for cluster in ecs.list_clusters()["clusterArns"]:
            listed = [ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"] for status in wanted]
            known = [arn for arn, owner in self._open.items() if owner == cluster]
            arns = list(dict.fromkeys(arn for arn in [*chain(*listed), *known] if arn not in self._ended))
            for start in range(0, len(arns), _PAGE):
                answer = ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + _PAGE])
                for task in answer["tasks"]:
                    if task["lastStatus"] == "STOPPED":
                        self._ended.add(task["taskArn"])
                    else:
                        found[task["taskArn"]] = task
        self._n_looks += 1
        self._open = {arn: task["clusterArn"] for arn, task in found.items()}
        return found

    def _serve(self, task: dict[str, Any]) -> None:
        arn, stopping = task["taskArn"], task["desiredStatus"] == "STOPPED"
        if life := self.lives.get(arn):
            if stopping:
                spot = task.get("stopCode") == "SpotInterruption"
                life.ask_to_stop(self.options.spot_notice_s if spot else life.order.stop_timeout_s)
        elif task["lastStatus"] != "PROVISIONING":
            _log.warning("task %s is of a runner that has ended: reported as stopped", arn)
            self._stopped(task, "The runner of the task has ended.", _KILLED)
        elif stopping:
            self._stopped(task, task.get("stoppedReason"), None)
        elif arn not in self._ended:
            self._start(task)

    def _start(self, task: dict[str, Any]) -> None:
        """Start a task if there is room for it."""
        try:
            wanted = order.read(self.client, task)
        except TaskError as error:
            self._stopped(task, str(error), None)
            return
        in_use = sum(life.order.vcpu for life in self.lives.values())
        if self.lives and in_use + wanted.vcpu > self.options.vcpus:
            return
        life = Life(wanted, self.folder / wanted.id, self._cores(wanted.vcpu), self.tools)
        self.lives[wanted.arn] = life
        life.start()

    def _cores(self, vcpu: float) -> list[int]:
        """Return the least used cores of this machine, as many as the task has vCPUs if there are so many."""
        used = Counter(core for life in self.lives.values() for core in life.cores)
        cores = sorted(_all_cores(), key=lambda core: (used[core], core))
        return cores[: math.ceil(vcpu)]

    def _stopped(self, task: dict[str, Any], reason: str | None, code: int | None) -> None:
        containers = [{"containerName": one["name"], "exitCode": code} for one in task["containers"]]
        self.tools.reporter.submit(task["clusterArn"], task["taskArn"], "STOPPED", reason, containers)

    def _end_orphans(self) -> None:
        """End what an earlier runner left running; ECS hears of it when it is looked at."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in self.folder.iterdir():
            identity = folder.name
            killed = processes.kill(identity)
            if self.options.image and (program := container.engine(self.options.image)):
                container.remove(identity, program)
            if group := memory.of_task(identity):
                group.remove()
            _log.warning("task %s is of a runner that was killed: %d processes ended", identity, killed)
            shutil.rmtree(folder, ignore_errors=True)


def _all_cores() -> set[int]:
    return os.sched_getaffinity(0) if sys.platform == "linux" else set(range(os.cpu_count() or 1))

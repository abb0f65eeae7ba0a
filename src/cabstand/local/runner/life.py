"""The life of one task, in a thread: prepared, started, followed, stopped, reported."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.errors import TaskError
from cabstand.local.runner import container, images, secrets
from cabstand.local.runner.container import ContainerRun
from cabstand.local.runner.endpoint import Endpoint
from cabstand.local.runner.host import HostRun
from cabstand.local.runner.logs import LogStream
from cabstand.local.runner.order import Order
from cabstand.local.runner.reports import Reporter
from cabstand.local.runner.roles import TaskRole

_log = logging.getLogger(__name__)
_LOOK_S = 0.05
_DRAIN_S, _HURRY_S = 10.0, 0.3
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
EXITED = "Essential container in task exited"


@dataclass(frozen=True)
class Tools:
    """What all tasks of a runner share."""

    reporter: Reporter
    endpoint: Endpoint
    image: str | None  # on this machine; None runs tasks as processes
    addresses: Mapping[str, str]  # in the account's network, each with the one here

    def here(self, value: str) -> str:
        """Return a value with the addresses of this machine."""
        for there, here in self.addresses.items():
            value = value.replace(there, here)
        return value


class Life(threading.Thread):
    """One task. Its process is a child of this thread: Linux ends it with the thread, however that ends."""

    def __init__(self, order: Order, folder: Path, cores: Sequence[int], tools: Tools) -> None:
        super().__init__(name=f"task-{order.id}", daemon=True)
        self.order, self.folder, self.cores, self.tools = order, folder, cores, tools
        self._grace_s: float | None = None  # set once the task is to stop
        self._reason = EXITED

    def ask_to_stop(self, grace_s: float) -> None:
        """Let the task end by SIGTERM, and by SIGKILL if it still runs after so many seconds."""
        if self._grace_s is None:
            self._grace_s = grace_s

    def abandon(self, reason: str) -> None:
        """Kill the task now."""
        self._reason, self._grace_s = reason, 0.0

    def run(self) -> None:
        """Live."""
        try:
            self._live()
        except TaskError as error:
            self._failed(str(error))
        except Exception as error:
            _log.exception("task %s", self.order.id)
            self._failed(f"InternalError: {error!r}")
        finally:
            self.tools.endpoint.forget(self.order)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _live(self) -> None:
        order, client = self.order, self.tools.reporter.client
        self.folder.mkdir(parents=True, exist_ok=True)  # its name tells the next runner, if this one is killed
        self._report("PENDING", pullStartedAt=time.time())
        execution = TaskRole(client, order.execution_role, order.id) if order.execution_role else None
        environment = self._environment(secrets.resolve(execution, order.secrets))
        images.pull(client, order, execution)
        if self._grace_s is not None:
            raise TaskError(self._reason)
        stream = LogStream(order, execution)
        try:
            run = self._launched(environment)
        except OSError as error:
            stream.close()
            raise TaskError(f"CannotStartContainerError: {error}") from error
        try:
            code = self._follow(run, stream)
            reason = OUT_OF_MEMORY if run.out_of_memory(code) else None
        finally:
            run.close()
            stream.close(_HURRY_S if self.tools.reporter.stop.is_set() else _DRAIN_S)
        _log.info("task %s of %s ended: exit code %d%s", order.id, order.definition, code, f", {reason}" * bool(reason))
        self._report("STOPPED", self._reason, container={"exitCode": code, "reason": reason})

    def _environment(self, values: dict[str, str]) -> dict[str, str]:
        """Return the variables of the task: its definition's, its secrets, and what ECS and the SDKs need."""
        order, client = self.order, self.tools.reporter.client
        known = client("ecs").meta
        role = TaskRole(client, order.task_role, order.id) if order.task_role else None
        if role:
            role.credentials()  # ECS starts no task whose role it cannot assume
        return {
            **{name: self.tools.here(value) for name, value in order.environment.items()},
            **values,
            "AWS_ENDPOINT_URL": known.endpoint_url,
            "AWS_REGION": known.region_name,
            "AWS_DEFAULT_REGION": known.region_name,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.tools.endpoint.admit(order, role),
        }

    def _launched(self, environment: dict[str, str]) -> HostRun | ContainerRun:
        image = self.tools.image
        if image and container.engine(image):
            return ContainerRun(self.order, image, environment, self.cores)
        return HostRun(self.order, self.folder, environment, self.cores)

    def _follow(self, run: HostRun | ContainerRun, stream: LogStream) -> int:
        """Wait for the end of the task's first process, and return its exit code."""
        reader = threading.Thread(target=stream.follow, args=(run.output,), name=f"output-{run.id}", daemon=True)
        reader.start()
        runtime = {"status": "RUNNING", "runtimeId": f"{run.id}-{run.process.pid}"}
        self._report("RUNNING", container=runtime, pullStoppedAt=time.time())
        _log.info("task %s of %s runs as process %d", run.id, self.order.definition, run.process.pid)
        kill_at: float | None = None
        while (code := run.poll()) is None:
            time.sleep(_LOOK_S)
            if self._grace_s is not None and kill_at is None:
                kill_at = time.monotonic() + self._grace_s
                if self._grace_s:
                    run.terminate()
                self._report("STOPPING", self._reason)
            if self._grace_s == 0 or (kill_at and time.monotonic() > kill_at):
                run.kill()
        run.kill()  # a container ends with its first process
        reader.join(_DRAIN_S)
        return code

    def _failed(self, reason: str) -> None:
        _log.warning("task %s of %s did not run: %s", self.order.id, self.order.definition, reason)
        told = reason if reason.startswith("Cannot") else None
        self._report("STOPPED", reason, container={"reason": told})

    def _report(self, status: str, reason: str | None = None, container: Any = None, **times: float) -> None:
        changes = {key: value for key, value in (container or {}).items() if value is not None}
        state = {"containerName": self.order.container, "status": "STOPPED" if status == "STOPPED" else None, **changes}
        self.tools.reporter.submit(
            self.order.cluster, self.order.arn, status, reason, [state] if container is not None else [], **times
        )

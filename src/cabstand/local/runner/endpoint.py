"""What ECS offers a task at 169.254.170.2, here on a port of 127.0.0.1: credentials of its role, and metadata."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.errors import TaskError
from cabstand.local.runner.order import Order
from cabstand.local.runner.roles import TaskRole

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    order: Order
    role: TaskRole | None
    token: str


class Endpoint:
    """The server of all tasks; each has paths of its own, and its credentials a token."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"tasks": self._tasks}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="task-endpoint", daemon=True).start()

    def admit(self, order: Order, role: TaskRole | None) -> dict[str, str]:
        """Serve a task, and return the variables that tell it so."""
        task = self._tasks[order.id] = _Task(order, role, secrets.token_urlsafe(32))
        found = {"ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/v4/{order.id}"}
        if role:
            found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self.url}/credentials/{order.id}"
            found["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = task.token
        return found

    def forget(self, order: Order) -> None:
        """Serve a task no longer."""
        self._tasks.pop(order.id, None)

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    tasks: dict[str, _Task]

    def do_GET(self) -> None:
        kind, _, rest = self.path.strip("/").partition("/")
        identity, _, part = rest.partition("/")
        task = self.tasks.get(identity)
        if not task:
            self._answer(404, {"message": "no such task"})
        elif kind == "credentials":
            self._credentials(task)
        else:
            self._answer(200, _metadata(task.order, whole=part == "task"))

    def _credentials(self, task: _Task) -> None:
        given = self.headers.get("Authorization", "")
        if not task.role or not secrets.compare_digest(given.encode(), task.token.encode()):
            self._answer(403, {"message": "wrong token"})
            return
        try:
            found = task.role.credentials()
        except (BotoCoreError, ClientError, TaskError) as error:
            _log.warning("no credentials of %s for task %s: %s", task.role.arn, task.order.id, error)
            self._answer(500, {"message": str(error)})
            return
        answer = {
            "RoleArn": task.role.arn,
            "AccessKeyId": found["AccessKeyId"],
            "SecretAccessKey": found["SecretAccessKey"],
            "Token": found["SessionToken"],
            "Expiration": found["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._answer(200, answer)

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Log nothing: a request is no occurrence."""


def _metadata(order: Order, whole: bool) -> dict[str, Any]:
    """Return what version 4 of the endpoint tells of the container or of the task; all tasks share one address."""
    family, _, revision = order.definition.rpartition("/")[2].rpartition(":")
    limits = {"CPU": order.vcpu, "Memory": order.memory_mib}
    container = {
        "DockerId": order.id,
        "Name": order.container,
        "Image": order.image,
        "Limits": limits,
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["127.0.0.1"]}],
    }
    task = {
        "Cluster": order.cluster,
        "TaskARN": order.arn,
        "Family": family,
        "Revision": revision,
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": limits,
        "LaunchType": "FARGATE",
        "Containers": [container],
    }
    return task if whole else container

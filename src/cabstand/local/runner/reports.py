"""Reports to ECS, as its agent makes them; an emulator that is away gets them when it is back."""

from __future__ import annotations

import logging
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.local.runner.order import Clients

_log = logging.getLogger(__name__)
_PAUSE_S = 1.0
_MOST_REASON = 1024


class Reporter:
    """Submits state changes until they arrive, or the runner stops."""

    def __init__(self, client: Clients, stop: threading.Event) -> None:
        self.client, self.stop = client, stop

    def submit(
        self,
        cluster: str,
        task: str,
        status: str,
        reason: str | None,
        containers: list[dict[str, Any]],
        **times: float,
    ) -> None:
        """Report the status of a task and its containers; one that ECS no longer knows needs no report."""
        request: dict[str, Any] = {"cluster": cluster, "task": task, "status": status, **times}
        request["containers"] = [{key: value for key, value in one.items() if value is not None} for one in containers]
        if reason:
            request["reason"] = reason[:_MOST_REASON]
        while not self._submitted(request) and not self.stop.wait(_PAUSE_S):
            pass

    def _submitted(self, request: dict[str, Any]) -> bool:
        try:
            self.client("ecs").submit_task_state_change(**request)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status < 500:
                _log.info("ECS does not take %s of %s: %s", request["status"], request["task"], error)
            return bool(status < 500)
        except BotoCoreError:
            return False
        return True

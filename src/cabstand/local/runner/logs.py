"""A task's output, sent to its log stream in batches."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.errors import TaskError
from cabstand.local.runner.order import Order
from cabstand.local.runner.roles import TaskRole

_log = logging.getLogger(__name__)
BATCH_S = 0.5
_MOST_LINES = 1000  # of 10,000 that a call may have, so that one of long lines stays below its megabyte
_MOST_BYTES = 250_000  # of 256 KiB that an event may have with its overhead
_PAUSE_S = 0.2


class LogStream:
    """The stream `<prefix>/<container>/<task>` of a group."""

    def __init__(self, order: Order, role: TaskRole | None) -> None:
        options = order.log_options or {}
        self.group, self.role = options.get("awslogs-group", ""), role
        self.name = "/".join(filter(None, (options.get("awslogs-stream-prefix"), order.container, order.id)))
        self._lines: list[tuple[int, str]] = []
        self._patience_s = 0.0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"logs-{order.id}", daemon=True)
        if self.group:
            self._create()
            self._thread.start()

    def _create(self) -> None:
        if not self.role:
            raise TaskError("ResourceInitializationError: failed to validate logger args: no execution role")
        try:
            self.role.service("logs").create_log_stream(logGroupName=self.group, logStreamName=self.name)
        except ClientError as error:
            details = error.response["Error"]
            if details["Code"] != "ResourceAlreadyExistsException":
                raise TaskError(
                    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 "
                    f"times: failed to create Cloudwatch log stream: {details['Code']}: {details['Message']}"
                ) from error

    def follow(self, output: Iterable[bytes]) -> None:
        """Take the lines of a pipe until it is closed by all that write to it."""
        for line in output:
            text = line.decode(errors="replace").rstrip("\n")
            with self._lock:
                self._lines += [(time.time_ns() // 1_000_000, part) for part in _parts(text)]

    def close(self, patience_s: float = 20.0) -> None:
        """Send what is left, unless the emulator is away for so long."""
        self._patience_s = patience_s
        self._over.set()
        if self.group:
            self._thread.join(patience_s + 2 * _PAUSE_S)

    def _loop(self) -> None:
        while not self._over.wait(BATCH_S):
            self._send()
        self._send()

    def _send(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        while lines:
            size, batch = 0, list[tuple[int, str]]()
            while lines and len(batch) < _MOST_LINES and (not batch or size + len(lines[0][1]) < _MOST_BYTES):
                batch.append(lines.pop(0))
                size += len(batch[-1][1])
            self._put(batch)

    def _put(self, batch: list[tuple[int, str]]) -> None:
        """Send a batch, again and again while the emulator is away, once the task has ended for `_patience_s` only."""
        events = [{"timestamp": at, "message": message} for at, message in batch]
        end = math.inf
        while True:
            try:
                assert self.role
                self.role.service("logs").put_log_events(
                    logGroupName=self.group, logStreamName=self.name, logEvents=events
                )
                return
            except (BotoCoreError, ClientError, TaskError) as error:
                if self._over.is_set():
                    end = min(end, time.monotonic() + self._patience_s)
                if time.monotonic() >= end or not isinstance(error, BotoCoreError):
                    _log.warning("%d lines of %s are lost: %s", len(batch), self.name, error)
                    return
            time.sleep(_PAUSE_S)


def _parts(text: str) -> list[str]:
    """Cut a line at the most that an event may have; a blank line is no event."""
    size = _MOST_BYTES // 4
    return [text[start : start + size] for start in range(0, len(text), size)] if text.strip() else []

"""Lines for CloudWatch Logs, written in batches by one thread."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.local.batches import Batches

_LOG = logging.getLogger(__name__)
EVERY_S = 0.5
# Of one PutLogEvents, by its documentation: 1,048,576 bytes with 26 more for each event, and 10,000 events.
MOST_BYTES, OVERHEAD_BYTES, MOST_EVENTS = 1_048_576, 26, 10_000
MOST_BYTES_OF_A_LINE = 256 * 1024 - OVERHEAD_BYTES
Event = dict[str, Any]


class LogWriter:
    """Writes lines to streams of the emulator's log groups; like AWS's services, it makes streams but no groups."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[Event]] = {}
        self._clients: dict[tuple[str, str], Callable[[], Any]] = {}
        self._failed: set[str] = set()
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._batches = Batches("logs", self.flush, EVERY_S)

    def open(self, group: str, stream: str, client: Callable[[], Any]) -> Callable[[str], None]:
        """Return a function that takes one line; `client` returns the SDK's client that writes to this stream."""
        key = (group, stream)
        self._clients[key] = client

        def write(line: str) -> None:
            text = line.encode()[:MOST_BYTES_OF_A_LINE].decode(errors="ignore")
            if text:
                with self._lock:
                    self._waiting.setdefault(key, []).append({"timestamp": int(time.time() * 1000), "message": text})
                self._batches.soon()

        return write

    def close(self) -> None:
        """Write what waits, and end."""
        self._batches.close()

    def flush(self) -> None:
        """Write what waits."""
        with self._flushing:
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            for (group, stream), events in waiting.items():
                try:
                    for batch in batches(events):
                        self._put(group, stream, batch)
                    self._failed.discard(group)
                except (BotoCoreError, ClientError) as error:
                    if group not in self._failed:
                        _LOG.warning("%s: lines are lost: %s", group, error)
                    self._failed.add(group)

    def _put(self, group: str, stream: str, events: list[Event]) -> None:
        client = self._clients[group, stream]()
        try:
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except client.exceptions.ResourceNotFoundException:
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_stream(logGroupName=group, logStreamName=stream)
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def batches(events: list[Event]) -> list[list[Event]]:
    """Split events into what one call takes."""
    found: list[list[Event]] = [[]]
    size = 0
    for event in events:
        more = len(event["message"].encode()) + OVERHEAD_BYTES
        if found[-1] and (size + more > MOST_BYTES or len(found[-1]) == MOST_EVENTS):
            found.append([])
            size = 0
        found[-1].append(event)
        size += more
    return found

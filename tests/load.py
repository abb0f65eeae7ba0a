"""Clients that send requests to a running service without a pause, and keep the answers."""

from __future__ import annotations

import http.client
import json
import math
import statistics
import threading
import time
from contextlib import closing
from pathlib import Path

from bundles import point, small_bundle
from serving import PREDICT, ROW, Server

BODY = json.dumps(ROW)


class Load:
    """`n_clients` clients for the duration of the block, each with its own connection and at most `n_each` requests.

    Attributes
    ----------
    answered : list of (int, str, float)
        Status, request id and seconds of each answer.
    unanswered : list of str
        Names of the errors of requests that got none.
    """

    def __init__(self, server: Server, key: str, n_clients: int = 8, n_each: float = math.inf) -> None:
        self.server, self.key = server, key
        self._n_each = n_each
        self.answered: list[tuple[int, str, float]] = []
        self.unanswered: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(n_clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def statuses(self) -> set[int]:
        """Return the statuses that were answered, and 0 if a request got no answer."""
        return {status for status, *_ in self.answered} | ({0} if self.unanswered else set())

    def p99(self) -> float:
        """Return the 99th percentile of the answers' seconds."""
        return statistics.quantiles([seconds for *_, seconds in self.answered], n=100)[98]

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        with closing(connection):
            self._ask(connection)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        n_asked = 0
        while n_asked < self._n_each and not self._stop.is_set():
            n_asked += 1
            started = time.perf_counter()
            try:
                connection.request("POST", PREDICT, BODY, {"x-api-key": self.key})
                answer = connection.getresponse()
                reply = json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.unanswered.append(type(error).__name__)
                connection.close()
                if self._stop.wait(0.05):
                    return
                continue
            self.answered.append((answer.status, reply["request_id"], time.perf_counter() - started))


def flap(server: Server, home: Path, key: str, seconds: float, *, moving: bool = True) -> Load:
    """Send requests for some seconds, moving the pointer between `v1` and `v2` every second meanwhile."""
    small_bundle(home / "artifacts", version="v2", bias=20.0)
    with Load(server, key) as load:
        end = time.monotonic() + seconds
        champion = "v2"
        while time.monotonic() < end:
            if moving:
                point(home / "artifacts", champion=champion)
            champion = "v1" if champion == "v2" else "v2"
            time.sleep(1.0)
    return load

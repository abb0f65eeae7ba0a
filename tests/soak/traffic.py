"""Clients that send a mix of requests, and keep what came of each."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from serving import PREDICT
from waiting import until

N_CLIENTS = 4
PAUSE_S = (0.05, 0.15)  # between two requests of a client
NEAREST, BATCH = "/v1/hotspots/nearest", "/batch"
# Kind, its share of the requests, method, path, and the status that is right.
KINDS = [
    ("predict", 40, "POST", PREDICT, 200),
    ("predict bulk", 20, "POST", PREDICT + BATCH, 200),
    ("nearest", 15, "POST", NEAREST, 200),
    ("nearest bulk", 5, "POST", NEAREST + BATCH, 200),
    ("healthz", 5, "GET", "/healthz", 200),
    ("readyz", 5, "GET", "/readyz", 200),
    ("no JSON", 2, "POST", PREDICT, 400),
    ("no key", 2, "POST", PREDICT, 401),
    ("revoked key", 2, "POST", PREDICT, 401),
    ("unknown problem", 2, "POST", "/v1/nothing/predict", 404),
    ("wrong field", 2, "POST", PREDICT, 422),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    at: float  # seconds since the epoch, when it was sent
    kind: str
    wanted: int
    status: int  # 0 without an answer
    seconds: float
    problem: str  # of an error: the kind that the answer names, or the error's name
    request_id: str
    version: str  # of the model
    n_rows: int  # predicted


def body(kind: str, generator: random.Random) -> str:
    """Return a request's body; in every fourth bulk one row is wrong."""
    if kind in {"healthz", "readyz"}:
        return ""
    if kind == "no JSON":
        return '{"pickup_zone": 74,'
    one = _point if kind.startswith("nearest") else _ride
    if not kind.endswith("bulk"):
        return json.dumps(one(generator) | ({"colour": "yellow"} if kind == "wrong field" else {}))
    rows = [one(generator) for _ in range(generator.randint(2, 20))]
    if generator.random() < 0.25:
        rows[-1] = {"colour": "yellow"}
    return json.dumps({"rows": rows})


def _ride(generator: random.Random) -> dict[str, object]:
    hour = f"{generator.randrange(24):02d}:{generator.randrange(60):02d}"
    zones = {name: generator.randint(1, 263) for name in ("pickup_zone", "dropoff_zone")}
    return zones | {"pickup_at": f"2024-03-{generator.randint(1, 31):02d}T{hour}:00"}


def _point(generator: random.Random) -> dict[str, object]:
    return {"lat": generator.uniform(40.70, 40.80), "lon": generator.uniform(-74.02, -73.94)}


class Traffic:
    """Requests for the duration of the block.

    Attributes
    ----------
    key, revoked : str
        The API key of the requests, and one that must not work.
    answers : list of Answer
        What came of each so far.
    """

    def __init__(self, url: str, key: str) -> None:
        self.key, self.revoked = key, "cab_00000000_nobody"
        self.answers: list[Answer] = []
        self.failure: BaseException | None = None
        self._host = urlsplit(url).netloc
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[seed]) for seed in range(N_CLIENTS)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, n_more: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.answers) + n_more
        until(lambda: len(self.answers) >= wanted, 300)

    def wait_for_version(self, version: str) -> None:
        """Wait until a version of the model has answered."""
        seen = len(self.answers)
        until(lambda: any(one.version == version for one in self.answers[seen:]), 300, 0.2)

    def _run(self, seed: int) -> None:
        generator = random.Random(seed)
        shares = [kind[1] for kind in KINDS]
        with closing(http.client.HTTPConnection(self._host, timeout=60)) as connection:
            while not self._stop.wait(generator.uniform(*PAUSE_S)):
                kind, _, method, path, wanted = generator.choices(KINDS, shares)[0]
                content = body(kind, generator)
                self.answers.append(self._ask(connection, kind, method, path, wanted, content))

    def _ask(
        self, connection: http.client.HTTPConnection, kind: str, method: str, path: str, wanted: int, content: str
    ) -> Answer:
        headers = {"content-type": "application/json"}
        if kind != "no key":
            headers["x-api-key"] = self.revoked if kind == "revoked key" else self.key
        at, begun = time.time(), time.perf_counter()
        try:
            connection.request(method, path, content or None, headers)
            answer = connection.getresponse()
            status, reply = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return Answer(at, kind, wanted, 0, time.perf_counter() - begun, type(error).__name__, "", "", 0)
        took = time.perf_counter() - begun
        rows = reply.get("answers", [reply.get("answer")]) if status == 200 else []
        problem = str(reply.get("type") or reply.get("message") or "") if status != 200 else ""
        known = str(reply.get("request_id", "")), str(reply.get("version", ""))
        return Answer(at, kind, wanted, status, took, problem, *known, sum(row is not None for row in rows))

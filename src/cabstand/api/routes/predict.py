"""`/v1/{problem}/predict` and `/v1/hotspots/nearest`, each for one row and for a batch.

What a row must look like is the bundle's to say, and known only once it is loaded, so FastAPI has no part in these
addresses: they are answered before its router, from the validated bytes to the answer's. `cabstand.api.openapi`
describes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from cabstand.api import call as calls
from cabstand.api import hotspots
from cabstand.api.call import Call
from cabstand.api.errors import ApiError
from cabstand.api.model import Answer
from cabstand.api.schemas import Row, RowError, RowSchema
from cabstand.api.service import Service
from cabstand.api.telemetry import iso
from cabstand.io.prediction_lines import Told, each_json

ROUTING_KEY = b"x-routing-key"
NEAREST = "/v1/hotspots/nearest"
PREDICT = "/v1/{problem}/predict"
BATCH = "/batch"


class Predictions:
    """Answers predictions, and hands everything else on."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app = app
        self._store = service.store
        self._metrics = service.metrics
        self._telemetry = service.telemetry
        service.metrics.declare("cabstand_predictions_total", "counter", "Predicted rows by problem, version and role.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = _place(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        call, (problem, batch) = calls.of(scope), found
        call.route = (PREDICT if problem else NEAREST) + (BATCH if batch else "")
        if scope["method"] != "POST":
            raise ApiError(405, "method-not-allowed", "not with this method", headers={"allow": "POST"})
        body = self._predict(call, problem, batch, scope) if problem else self._nearest(call, batch)
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _predict(self, call: Call, problem: str, batch: bool, scope: Scope) -> bytes:
        served = self._store.find(problem)
        call.problem = served.problem.name
        model, role = served.choose(_routing_key(scope, call))
        return (self._many if batch else self._one)(call, model.version, role, model.schema, model.answer)

    def _nearest(self, call: Call, batch: bool) -> bytes:
        call.problem = hotspots.NAME
        model, index = hotspots.champion(self._store)
        answering = self._many if batch else self._one
        return answering(call, model.version, "champion", hotspots.PLACE, lambda rows: hotspots.nearest(index, rows))

    def _one(self, call: Call, version: str, role: str, schema: RowSchema, answer: Answering) -> bytes:
        row = schema.one(call.body)
        answers = each_json(answer([row]))
        self._told(call, version, role, [(0, row)], answers)
        return b'%b,"answer":%b}' % (_heading(call, version, role), answers[0])

    def _many(self, call: Call, version: str, role: str, schema: RowSchema, answer: Answering) -> bytes:
        good, bad = schema.many(call.body)
        answers = each_json(answer([row for _, row in good]))
        self._told(call, version, role, good, answers)
        placed = b",".join(_in_place(good, bad, answers))
        return b'%b,"answers":[%b],"errors":%b}' % (_heading(call, version, role), placed, to_json(bad))

    def _told(self, call: Call, version: str, role: str, rows: list[tuple[int, Row]], answers: list[bytes]) -> None:
        call.version, call.n_rows = version, len(rows)
        labels = (("problem", call.problem), ("version", version), ("role", role))
        self._metrics.add("cabstand_predictions_total", labels, len(rows))
        at, ms = iso(time.time()), round(call.elapsed_s() * 1e3, 3)
        shared = (call.request_id, at, call.problem, version, role, call.key, ms, call.trace_id)
        self._telemetry.predicted(Told(*shared, rows, answers))


Answering = Callable[[Sequence[Row]], list[Answer]]


def _place(path: str) -> tuple[str, bool] | None:
    """Return the problem of an address (empty for hotspots) and whether it takes a batch; None for other addresses."""
    parts = path.split("/")
    batch = len(parts) == 5 and parts[4] == "batch"
    if not (len(parts) == 4 or batch) or parts[0] or parts[1] != "v1" or not parts[2]:
        return None
    if parts[3] == "predict":
        return parts[2], batch
    return ("", batch) if parts[2] == "hotspots" and parts[3] == "nearest" else None


def _heading(call: Call, version: str, role: str) -> bytes:
    """Return the beginning of an answer's JSON."""
    told = {"problem": call.problem, "version": version, "role": role, "request_id": call.request_id}
    return to_json(told)[:-1]


def _in_place(good: list[tuple[int, Row]], bad: list[RowError], answers: list[bytes]) -> list[bytes]:
    """Return the answers at their rows' places, null where a row was bad."""
    if not bad:
        return answers
    placed = [b"null"] * (len(good) + len(bad))
    for (index, _), answer in zip(good, answers, strict=True):
        placed[index] = answer
    return placed


def _routing_key(scope: Scope, call: Call) -> bytes:
    """Return what decides between champion and challenger: the caller's header, or else the body."""
    for name, value in scope["headers"]:
        if name == ROUTING_KEY:
            return bytes(value)
    return call.body

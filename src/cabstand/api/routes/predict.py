"""`/v1/{problem}/predict` and `/v1/hotspots/nearest`, each for one row and for a batch.

Plain Starlette routes on the validated bytes: what a row must look like is the bundle's to say, and known only once it
is loaded. `cabstand.api.openapi` describes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cabstand.api import call as calls
from cabstand.api import hotspots
from cabstand.api.call import Call
from cabstand.api.model import Answer, Model
from cabstand.api.schemas import Row, RowError, RowSchema
from cabstand.api.service import Service
from cabstand.api.store import Served
from cabstand.api.telemetry import Prediction
from cabstand.clustering.core_index import CoreIndex

ROUTING_KEY = b"x-routing-key"


def routes(service: Service) -> list[Route]:
    """Return the routes that answer predictions of a service."""
    answering = _Answering(service)
    return [
        Route("/v1/hotspots/nearest", answering.nearest, methods=["POST"]),
        Route("/v1/hotspots/nearest/batch", answering.nearest_batch, methods=["POST"]),
        Route("/v1/{problem}/predict", answering.predict, methods=["POST"]),
        Route("/v1/{problem}/predict/batch", answering.predict_batch, methods=["POST"]),
    ]


class _Answering:
    def __init__(self, service: Service) -> None:
        self._service = service
        service.metrics.declare("cabstand_predictions_total", "counter", "Predicted rows by problem, version and role.")

    async def predict(self, request: Request) -> Response:
        call, served = self._begin(request, "/v1/{problem}/predict")
        model, role = served.choose(_routing_key(request, call))
        row = model.schema.one(call.body)
        answer = model.answer([row])[0]
        self._told(call, model.version, role, [(0, row)], [answer])
        return _json(self._heading(call, model.version, role) | {"answer": answer})

    async def predict_batch(self, request: Request) -> Response:
        call, served = self._begin(request, "/v1/{problem}/predict/batch")
        model, role = served.choose(_routing_key(request, call))
        return self._batch(call, model.version, role, model.schema, model.answer)

    async def nearest(self, request: Request) -> Response:
        call, (model, index) = self._begin_nearest(request, "/v1/hotspots/nearest")
        row = hotspots.PLACE.one(call.body)
        answer = hotspots.nearest(index, [row])[0]
        self._told(call, model.version, "champion", [(0, row)], [answer])
        return _json(self._heading(call, model.version, "champion") | {"answer": answer})

    async def nearest_batch(self, request: Request) -> Response:
        call, (model, index) = self._begin_nearest(request, "/v1/hotspots/nearest/batch")
        return self._batch(call, model.version, "champion", hotspots.PLACE, lambda rows: hotspots.nearest(index, rows))

    def _batch(
        self, call: Call, version: str, role: str, schema: RowSchema, answer: Callable[[Sequence[Row]], list[Answer]]
    ) -> Response:
        good, bad = schema.many(call.body)
        answers = answer([row for _, row in good])
        self._told(call, version, role, good, answers)
        return _json(self._heading(call, version, role) | {"answers": _in_place(good, bad, answers), "errors": bad})

    def _begin(self, request: Request, route: str) -> tuple[Call, Served]:
        call = calls.of(request.scope)
        call.route = route
        served = self._service.store.find(request.path_params["problem"])
        call.problem = served.problem.name
        return call, served

    def _begin_nearest(self, request: Request, route: str) -> tuple[Call, tuple[Model, CoreIndex]]:
        call = calls.of(request.scope)
        call.route = route
        call.problem = hotspots.NAME
        return call, hotspots.champion(self._service.store)

    def _told(self, call: Call, version: str, role: str, rows: list[tuple[int, Row]], answers: list[Answer]) -> None:
        call.version, call.n_rows = version, len(rows)
        labels = (("problem", call.problem), ("version", version), ("role", role))
        self._service.metrics.add("cabstand_predictions_total", labels, len(rows))
        self._service.telemetry.predicted(Prediction(call, time.time(), role, call.elapsed_s(), rows, answers))

    @staticmethod
    def _heading(call: Call, version: str, role: str) -> dict[str, Any]:
        return {"problem": call.problem, "version": version, "role": role, "request_id": call.request_id}


def _in_place(good: list[tuple[int, Row]], bad: list[RowError], answers: list[Answer]) -> list[Answer | None]:
    """Return the answers at their rows' places, null where a row was bad."""
    if not bad:
        return list(answers)
    placed: list[Answer | None] = [None] * (len(good) + len(bad))
    for (index, _), answer in zip(good, answers, strict=True):
        placed[index] = answer
    return placed


def _routing_key(request: Request, call: Call) -> bytes:
    """Return what decides between champion and challenger: the caller's header, or else the body."""
    for name, value in request.scope["headers"]:
        if name == ROUTING_KEY:
            return bytes(value)
    return call.body


def _json(content: dict[str, Any]) -> Response:
    # A figure that is not finite has no JSON; null says that there is no answer.
    return Response(to_json(content, inf_nan_mode="null"), media_type="application/json")

"""`/v1/{problem}/predict` and `/v1/hotspots/nearest`, each for one row and for a batch.

Which fields a row has is known only once its bundle is loaded. So these routes take the request's bytes, and the
bundle's own schema validates them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from fastapi import FastAPI, Request, Response

from cabstand.api import openapi
from cabstand.api.call import Call
from cabstand.api.model import Answer
from cabstand.api.openapi import BATCH, PREDICT
from cabstand.api.responses import NearestHotspot, NearestHotspots, Prediction, Predictions, json_response
from cabstand.api.routes import hotspots
from cabstand.api.schemas import Row, RowSchema
from cabstand.api.service import Service
from cabstand.api.store import HOTSPOTS, PREDICTED, ModelStore, labels_of
from cabstand.api.telemetry import iso
from cabstand.io.prediction_lines import PredictedRows

NEAREST = "/v1/hotspots/nearest"
ANY_ROW = {"type": "object", "properties": {}}
# Described here and read from the request: FastAPI's own parameters take as long as the model.
PARAMETERS = [
    {
        "name": "problem",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "A problem listed at /v1/models.",
    },
    {
        "name": "x-routing-key",
        "in": "header",
        "schema": {"type": "string"},
        "description": "What decides between champion and challenger; the body where it is absent.",
    },
]


class Chosen(NamedTuple):
    """The model that answers a request."""

    problem: str
    version: str
    role: str
    facts: Mapping[str, bool]  # what every answer says of its data
    schema: RowSchema
    answer: Callable[[Sequence[Row]], list[Answer]]


def register(app: FastAPI, service: Service) -> None:
    """Add the routes to the application."""
    _add_models(app, service)
    _add_hotspots(app, service)


def _add_models(app: FastAPI, service: Service) -> None:
    store = service.store

    @app.post(
        PREDICT,
        tags=["models"],
        summary="Predict one row",
        responses=openapi.answer(Prediction),
        openapi_extra=openapi.one_row(ANY_ROW) | {"parameters": PARAMETERS},
    )
    async def predict(request: Request) -> Response:
        return _one(service, request, _model(store, request))

    @app.post(
        PREDICT + BATCH,
        tags=["models"],
        summary="Predict a batch of rows",
        responses=openapi.answer(Predictions),
        openapi_extra=openapi.many_rows(ANY_ROW) | {"parameters": PARAMETERS},
    )
    async def predict_batch(request: Request) -> Response:
        return _many(service, request, _model(store, request))


def _add_hotspots(app: FastAPI, service: Service) -> None:
    store = service.store

    @app.post(
        NEAREST,
        tags=["hotspots"],
        summary="The hotspot near a point",
        responses=openapi.answer(NearestHotspot),
        openapi_extra=openapi.one_row(hotspots.POINT.json_schema()),
    )
    async def nearest(request: Request) -> Response:
        return _one(service, request, _hotspots(store))

    @app.post(
        NEAREST + BATCH,
        tags=["hotspots"],
        summary="The hotspots near a batch of points",
        responses=openapi.answer(NearestHotspots),
        openapi_extra=openapi.many_rows(hotspots.POINT.json_schema()),
    )
    async def nearest_batch(request: Request) -> Response:
        return _many(service, request, _hotspots(store))


def _model(store: ModelStore, request: Request) -> Chosen:
    problem = request.path_params["problem"]
    routing_key = request.headers.get("x-routing-key")
    key = request.state.call.body if routing_key is None else routing_key.encode("latin-1")
    model, role = store.find(problem).choose(key)
    return Chosen(problem, model.version, role, {"synthetic": model.synthetic}, model.schema, model.answer)


def _hotspots(store: ModelStore) -> Chosen:
    model, index = hotspots.champion(store)
    facts = {"synthetic": model.synthetic, "by_zone": model.by_zone}
    answer = partial(hotspots.nearest, index)
    return Chosen(HOTSPOTS, model.version, "champion", facts, hotspots.POINT, answer)


def _one(service: Service, request: Request, chosen: Chosen) -> Response:
    call: Call = request.state.call
    call.problem = chosen.problem
    row = chosen.schema.one(call.body)
    answers = chosen.answer([row])
    return json_response(_record(service, call, chosen, [(0, row)], answers) | {"answer": answers[0]})


def _many(service: Service, request: Request, chosen: Chosen) -> Response:
    call: Call = request.state.call
    call.problem = chosen.problem
    batch = chosen.schema.many(call.body)
    answers = chosen.answer([row for _, row in batch.good])
    heading = _record(service, call, chosen, batch.good, answers)
    in_order: list[Answer | None] = [None] * batch.n_rows
    for (index, _), answer in zip(batch.good, answers, strict=True):
        in_order[index] = answer
    return json_response(heading | {"answers": in_order, "errors": batch.errors})


def _record(
    service: Service, call: Call, chosen: Chosen, rows: list[tuple[int, Row]], answers: list[Answer]
) -> dict[str, object]:
    """Count the predicted rows, log them, and return what every answer begins with."""
    problem, version, role = chosen[:3]
    call.version, call.n_rows = version, len(rows)
    service.metrics.add(PREDICTED, labels_of(problem, version, role), len(rows))
    at, latency_ms = iso(time.time()), round(call.elapsed_s() * 1e3, 3)
    shared = (call.request_id, at, problem, version, role, call.key, latency_ms, call.trace_id)
    service.telemetry.predicted(PredictedRows(*shared, rows, answers))
    return {"problem": problem, "version": version, "role": role, **chosen.facts, "request_id": call.request_id}

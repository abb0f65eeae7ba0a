"""FastAPI's OpenAPI document, with the rows and answers that the bundles in force declare."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cabstand.api.errors import MEDIA_TYPE
from cabstand.api.guard import PUBLIC
from cabstand.api.responses import MODELS
from cabstand.api.schemas import MAX_ROWS
from cabstand.api.store import ModelStore

Schema = dict[str, Any]
DESCRIPTION = """Where New York's cabs stand and how long a ride takes.
Send a key as `x-api-key` or as `authorization: Bearer`. Errors are problem details (RFC 9457) with a request id."""
SYNTHETIC = "Trained on synthetic trips."
NOTICE = "Synthetic data: answers whose `synthetic` is true come from generated trips."
PREDICT = "/v1/{problem}/predict"
BATCH = "/batch"
REFERENCE = "#/components/schemas/{model}"
PROBLEM: Schema = {
    "description": "A problem.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
}
SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def answer(model: type[BaseModel], *statuses: int, media_type: str = "application/json") -> dict[int | str, Schema]:
    """Return FastAPI's `responses` of a route: a model, or problems under these statuses and by default."""
    content = {media_type: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
    good = {"description": "The answer.", "content": content}
    return {200: good, **dict.fromkeys(statuses, PROBLEM), "default": PROBLEM}


def one_row(row: Schema) -> Schema:
    """Return FastAPI's `openapi_extra` of a route whose body is one row."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": row}}}}


def many_rows(row: Schema) -> Schema:
    """Return FastAPI's `openapi_extra` of a route whose body is a batch of rows."""
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    return one_row(
        {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}
    )


def document(app: FastAPI, store: ModelStore) -> Schema:
    """Return the document: every route, and those of predictions once more for each problem that is served."""
    if app.openapi_schema is None:
        app.openapi_schema = _every_route(app)
    every_route = app.openapi_schema
    found = every_route | {"paths": every_route["paths"] | _served(every_route, store)}
    if any(served.champion.synthetic for served in store.served.values()):
        text = f"{every_route['info']['description']}\n{NOTICE}"
        found["info"] = every_route["info"] | {"description": text, "x-synthetic": True}
    return found


def _every_route(app: FastAPI) -> Schema:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, schemas = models_json_schema([(model, "serialization") for model in MODELS], ref_template=REFERENCE)
    found["components"] = {"schemas": schemas["$defs"], "securitySchemes": SECURITY}
    for path, methods in found["paths"].items():
        for operation in methods.values():
            operation.pop("operationId")
            if path not in PUBLIC:
                operation["security"] = [{name: []} for name in SECURITY]
    return found


def _served(every_route: Schema, store: ModelStore) -> Schema:
    """Return the paths of predictions for the problems that are served."""
    paths, schemas = every_route["paths"], every_route["components"]["schemas"]
    found = {}
    for name, served in sorted(store.served.items()):
        text = served.problem.description
        row, answer = served.champion.schema.json_schema(), served.champion.answer_schema()
        one, many = deepcopy(schemas["Prediction"]), deepcopy(schemas["Predictions"])
        one["properties"]["answer"] = answer
        many["properties"]["answers"]["items"]["anyOf"][0] = answer
        for suffix, summary, body, result in (
            ("", text, one_row(row), one),
            (BATCH, f"{text} Up to {MAX_ROWS:,} rows.", many_rows(row), many),
        ):
            operation = deepcopy(paths[PREDICT + suffix]["post"]) | body
            operation |= {"tags": [name], "summary": summary}
            if served.champion.synthetic:
                operation |= {"summary": f"{summary} {SYNTHETIC}", "x-synthetic": True}
            operation["parameters"] = [parameter for parameter in operation["parameters"] if parameter["in"] != "path"]
            operation["responses"]["200"]["content"]["application/json"]["schema"] = result
            found[f"/v1/{name}/predict{suffix}"] = {"post": operation}
    return found

"""The OpenAPI 3.1 document: the fixed routes as FastAPI knows them, the rest as the bundles in force declare it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from cabstand import __version__
from cabstand.api.errors import MEDIA_TYPE
from cabstand.api.guard import PUBLIC
from cabstand.api.hotspots import PLACE
from cabstand.api.schemas import MAX_ROWS
from cabstand.api.store import Served

Schema = dict[str, Any]
DESCRIPTION = """Where New York's cabs stand and how long a ride takes.
Send a key as `x-api-key` or as `authorization: Bearer`. Errors are problem details (RFC 9457) with a request id."""
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}


def _object(optional: Sequence[str] = (), **properties: Schema) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_WRONG = _object(pointer=_TEXT | {"description": "JSON pointer into the body."}, detail=_TEXT)
_BUNDLE = {"type": ["object", "null"]}
COMPONENTS: dict[str, Schema] = {
    "Problem": _object(
        ("errors",), type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, instance=_TEXT,
        request_id=_TEXT, errors=_list({"type": "object"}),
    ),
    "RowErrors": _object(row=_COUNT, errors=_list(_WRONG)),
    "Root": _object(name=_TEXT, version=_TEXT, links={"type": "object", "additionalProperties": _TEXT}),
    "Health": _object(status={"const": "alive"}),
    "Ready": _object(status={"const": "ready"}, versions={"type": "object", "additionalProperties": _TEXT}),
    "Models": _object(
        models=_list(
            _object(
                problem=_TEXT, description=_TEXT, sequence=_COUNT, share={"type": "number", "minimum": 0, "maximum": 1},
                champion=_BUNDLE, challenger=_BUNDLE,
            )
        )
    ),
    "Hotspots": _object(
        type={"const": "FeatureCollection"}, version=_TEXT, features=_list({"type": "object"}),
        next={"type": ["integer", "null"], "description": "`after` of the next page."},
    ),
    "Nearest": _object(
        hotspot={"type": ["integer", "null"], "description": "Id, null where no core point is near."},
        distance_m={"type": ["number", "null"], "description": "Metres to its nearest core point.", "x-unit": "m"},
    ),
}  # fmt: skip


def answer(component: str, *statuses: int, media_type: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` of a route that answers with a component, or with a problem."""
    good = {"description": "The answer.", "content": {media_type: {"schema": _ref(component)}}}
    return {200: good, **dict.fromkeys(statuses, _problem()), "default": _problem()}


def geojson_answer() -> dict[str, Any]:
    """Return FastAPI's keywords of a route that answers with GeoJSON."""
    return {"responses": answer("Hotspots", media_type="application/geo+json"), "response_class": GeoJson}


class GeoJson(Response):
    """Names the media type to FastAPI."""

    media_type = "application/geo+json"


def text_answer() -> dict[str, Any]:
    """Return FastAPI's keywords of a route that answers with text."""
    good = {"description": "Prometheus text.", "content": {"text/plain": {"schema": _TEXT}}}
    return {"responses": {200: good, "default": _problem()}, "response_class": PlainTextResponse}


def document(fixed: Sequence[BaseRoute], served: Mapping[str, Served]) -> Schema:
    """Return the document of the fixed routes and of what serves now."""
    found: Schema = get_openapi(title="cabstand", version=__version__, description=DESCRIPTION, routes=fixed)
    for path, methods in found["paths"].items():
        for operation in methods.values():
            _tidy(operation, public=path in PUBLIC)
    found["paths"] |= _predictions(served)
    found["components"] = {
        "schemas": COMPONENTS,
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
    }
    return found


def _predictions(served: Mapping[str, Served]) -> Schema:
    paths: Schema = {}
    for name, one in sorted(served.items()):
        model = one.champion
        row, result = model.schema.json_schema(), model.answer_schema()
        paths |= _pair(f"/v1/{name}/predict", name, one.problem.description, row, result)
    if any(one.champion.hotspots is not None for one in served.values()):
        text = "The hotspot that a place is in."
        paths |= _pair("/v1/hotspots/nearest", "hotspots", text, PLACE.json_schema(), _ref("Nearest"))
    return paths


def _pair(path: str, tag: str, text: str, row: Schema, result: Schema) -> Schema:
    """Return the paths of one row and of a batch."""
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    batch = {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}
    heading: dict[str, Schema] = {
        "problem": _TEXT,
        "version": _TEXT,
        "role": {"enum": ["champion", "challenger"]},
        "request_id": _TEXT,
    }
    one = _object((), **heading, answer=result)
    maybe = {"anyOf": [result, {"type": "null"}], "description": "Null where the row was wrong."}
    many = _object((), **heading, answers=_list(maybe), errors=_list(_ref("RowErrors")))
    return {
        path: {"post": _operation(tag, text, row, one)},
        f"{path}/batch": {"post": _operation(tag, f"{text} Up to {MAX_ROWS:,} rows.", batch, many)},
    }


def _operation(tag: str, text: str, body: Schema, result: Schema) -> Schema:
    key = {
        "name": "x-routing-key",
        "in": "header",
        "schema": _TEXT,
        "description": "What decides between champion and challenger; the body where it is absent.",
    }
    return {
        "tags": [tag],
        "summary": text,
        "security": [{"key": []}, {"bearer": []}],
        "parameters": [key],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": result}}},
            "default": _problem(),
        },
    }


def _tidy(operation: Schema, *, public: bool) -> None:
    if not public:
        operation["security"] = [{"key": []}, {"bearer": []}]
    operation.pop("operationId", None)
    operation["responses"].pop("422", None)  # FastAPI's own; ours are problem details


def _problem() -> Schema:
    return {"description": "A problem.", "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}


@cache
def docs_page() -> tuple[bytes, str]:
    """Return the page at `/docs` and the content policy that lets just its own script and style run."""
    page = files("cabstand.api").joinpath("docs.html").read_bytes()

    def digest(tag: bytes) -> str:
        found = re.search(b"<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
        return base64.b64encode(hashlib.sha256(found[1] if found else b"").digest()).decode()

    parts = (
        "default-src 'none'",
        "connect-src 'self'",
        f"script-src 'sha256-{digest(b'script')}'",
        f"style-src 'sha256-{digest(b'style')}'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return page, "; ".join(parts)

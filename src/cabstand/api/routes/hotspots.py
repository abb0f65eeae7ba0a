"""`GET /v1/hotspots`: the hotspots in force as GeoJSON, by box and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from cabstand.api import hotspots, openapi
from cabstand.api.errors import ApiError
from cabstand.api.routes.system import json_response
from cabstand.api.service import Service

# By hand and not by FastAPI's `Query`: building one parameter imports pydantic's old version, 100 ms of a cold start.
_AFTER = {"type": "integer", "minimum": -1, "maximum": 2**31 - 1, "default": -1}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}
_NUMBER = "-?[0-9]{1,3}(\\.[0-9]{1,12})?"
_BOX = {
    "type": "string",
    "pattern": f"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$",
    "examples": ["-74.1,40.6,-73.7,40.9"],
}
PARAMETERS = {
    "bbox": (_BOX, "west,south,east,north in degrees."),
    "after": (_AFTER, "Id of the last hotspot of the page before."),
    "limit": (_LIMIT, "Most hotspots of a page."),
}
_DESCRIBED = [
    {"name": name, "in": "query", "required": False, "schema": schema, "description": text}
    for name, (schema, text) in PARAMETERS.items()
]


def router(service: Service) -> APIRouter:
    """Return the route that lists hotspots."""
    routes = APIRouter()
    told = openapi.geojson_answer() | {"openapi_extra": {"parameters": _DESCRIBED}}

    @routes.get("/v1/hotspots", tags=["hotspots"], summary="Hotspots as GeoJSON", **told)
    async def listing(request: Request) -> Response:
        box, after, limit = _asked(request.query_params)
        model, index = hotspots.champion(service.store)
        summary = hotspots.summary(index)
        places, more = summary.page(box, after, limit)
        content: dict[str, Any] = {
            "type": "FeatureCollection",
            "version": model.version,
            "features": [summary.feature(place) for place in places],
            "next": int(summary.ids[places[-1]]) if more else None,
        }
        return json_response(content, "application/geo+json")

    return routes


def _asked(given: Mapping[str, str]) -> tuple[hotspots.Box | None, int, int]:
    if unknown := sorted(set(given) - set(PARAMETERS)):
        raise refused(unknown[0][:40], f"not known here; known: {', '.join(PARAMETERS)}")
    try:
        box = hotspots.parse_box(given["bbox"]) if "bbox" in given else None
    except ValueError as error:
        raise refused("bbox", "write west,south,east,north in degrees, smaller first") from error
    return box, _integer(given, "after", _AFTER), _integer(given, "limit", _LIMIT)


def _integer(given: Mapping[str, str], name: str, schema: Mapping[str, Any]) -> int:
    text = given.get(name, str(schema["default"]))
    bare = text.removeprefix("-")
    found = int(text) if bare.isascii() and bare.isdigit() and len(bare) <= 12 else None
    if found is None or not schema["minimum"] <= found <= schema["maximum"]:
        raise refused(name, f"write an integer from {schema['minimum']} to {schema['maximum']}")
    return found


def refused(parameter: str, detail: str) -> ApiError:
    """Return the problem of a wrong query parameter."""
    return ApiError(
        422, "invalid-request", f"{parameter}: {detail}", errors=[{"parameter": parameter, "detail": detail}]
    )

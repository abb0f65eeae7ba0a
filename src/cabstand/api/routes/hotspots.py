"""`GET /v1/hotspots`: the hotspots in force as GeoJSON, by box and page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from cabstand.api import hotspots, openapi
from cabstand.api.routes.system import json_response
from cabstand.api.service import Service

Box = Annotated[str | None, Query(description="west,south,east,north in degrees.", max_length=120)]
After = Annotated[int, Query(description="Id of the last hotspot of the page before.", ge=-1, le=2**31 - 1)]
Limit = Annotated[int, Query(description="Most hotspots of a page.", ge=1, le=1_000)]


def router(service: Service) -> APIRouter:
    """Return the route that lists hotspots."""
    routes = APIRouter()

    @routes.get("/v1/hotspots", tags=["hotspots"], summary="Hotspots as GeoJSON", **openapi.geojson_answer())
    async def listing(bbox: Box = None, after: After = -1, limit: Limit = 100) -> Response:
        model, index = hotspots.champion(service.store)
        summary = hotspots.summary(index)
        places, more = summary.page(hotspots.parse_box(bbox), after, limit)
        content: dict[str, Any] = {
            "type": "FeatureCollection",
            "version": model.version,
            "features": [summary.feature(place) for place in places],
            "next": int(summary.ids[places[-1]]) if more else None,
        }
        return json_response(content, "application/geo+json")

    return routes

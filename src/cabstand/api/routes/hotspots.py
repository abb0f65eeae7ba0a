"""`GET /v1/hotspots`: the hotspots in force as GeoJSON, by box and page."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from cabstand.api import hotspots, openapi
from cabstand.api.responses import GeoJson, Hotspots
from cabstand.api.service import Service

_NUMBER = "-?[0-9]{1,3}(\\.[0-9]{1,12})?"
_BOX = {
    "type": "string",
    "pattern": f"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$",
    "examples": ["-74.1,40.6,-73.7,40.9"],
}


def _checked(bbox: str) -> str:
    hotspots.parse_box(bbox)
    return bbox


class Page(BaseModel):
    """The query of a page of hotspots."""

    model_config = ConfigDict(extra="forbid")

    bbox: Annotated[str, AfterValidator(_checked), WithJsonSchema(_BOX)] | SkipJsonSchema[None] = Field(
        None, description="west,south,east,north in degrees."
    )
    after: int = Field(-1, ge=-1, le=2**31 - 1, description="Id of the last hotspot of the page before.")
    limit: int = Field(100, ge=1, le=1_000, description="Most hotspots of a page.")


def register(app: FastAPI, service: Service) -> None:
    """Add the route to the application."""

    @app.get(
        "/v1/hotspots", tags=["hotspots"], summary="Hotspots as GeoJSON", response_model=Hotspots,
        response_class=GeoJson, responses=openapi.problems(),
    )  # fmt: skip
    async def page(asked: Annotated[Page, Query()]) -> GeoJson:
        model, index = hotspots.champion(service.store)
        summary = hotspots.summary(index)
        box = hotspots.parse_box(asked.bbox) if asked.bbox else None
        rows, more = summary.page(box, asked.after, asked.limit)
        return GeoJson(
            {
                "type": "FeatureCollection",
                "version": model.version,
                "features": [summary.feature(row) for row in rows],
                "next": int(summary.ids[rows[-1]]) if more else None,
            }
        )

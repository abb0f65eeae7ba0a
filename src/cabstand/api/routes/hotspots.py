"""`GET /v1/hotspots`: the hotspots in force as GeoJSON, by box and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from cabstand.api import hotspots, openapi
from cabstand.api.errors import MAX_ERRORS, ApiError
from cabstand.api.responses import GeoJson, Hotspots
from cabstand.api.service import Service

MAX_NAME = 40  # characters shown of a parameter's name that the caller made up
_NUMBER = "-?[0-9]{1,3}(\\.[0-9]{1,12})?"
_BOX = {
    "type": "string",
    "pattern": f"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$",
    "examples": ["-74.1,40.6,-73.7,40.9"],
}


class Page(BaseModel):
    """The query of a page of hotspots."""

    model_config = ConfigDict(extra="forbid")

    bbox: Annotated[Any, AfterValidator(hotspots.parse_box), WithJsonSchema(_BOX)] = Field(
        None, description="west,south,east,north in degrees."
    )
    after: int = Field(-1, ge=-1, le=2**31 - 1, description="Id of the last hotspot of the page before.")
    limit: int = Field(100, ge=1, le=1_000, description="Most hotspots of a page.")


PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": schema, "description": schema["description"]}
    for name, schema in Page.model_json_schema()["properties"].items()
]


def register(app: FastAPI, service: Service) -> None:
    """Add the route to the application."""

    @app.get(
        "/v1/hotspots",
        tags=["hotspots"],
        summary="Hotspots as GeoJSON",
        response_class=GeoJson,
        responses=openapi.answer(Hotspots, media_type="application/geo+json"),
        openapi_extra={"parameters": PARAMETERS},
    )
    async def page(request: Request) -> Response:
        asked = _page(request.query_params)
        model, index = hotspots.champion(service.store)
        summary = hotspots.summary(index)
        rows, more = summary.page(asked.bbox, asked.after, asked.limit)
        return GeoJson(
            {
                "type": "FeatureCollection",
                "version": model.version,
                "features": [summary.feature(row) for row in rows],
                "next": int(summary.ids[rows[-1]]) if more else None,
            }
        )


def _page(query: Mapping[str, str]) -> Page:
    try:
        return Page.model_validate(dict(query))
    except ValidationError as error:
        errors = [
            {"parameter": str(one["loc"][0])[:MAX_NAME], "detail": one["msg"].removeprefix("Value error, ")}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    detail = f"{errors[0]['parameter']}: {errors[0]['detail']}"
    raise ApiError(422, "invalid-request", detail, errors=errors[:MAX_ERRORS])

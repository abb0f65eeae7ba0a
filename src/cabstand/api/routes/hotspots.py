"""Hotspots as answers: `GET /v1/hotspots`, all of them as GeoJSON by box and page, and the one near a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import numpy as np
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from cabstand.api import openapi
from cabstand.api.errors import ApiError
from cabstand.api.model import Model
from cabstand.api.responses import GeoJson, Hotspots
from cabstand.api.schemas import COORDINATES, Row, RowSchema
from cabstand.api.service import Service
from cabstand.api.store import ModelStore
from cabstand.clustering.core_index import CoreIndex

Box = tuple[float, float, float, float]
POINT = RowSchema(COORDINATES)
DECIMALS = 6
NOWHERE = {"hotspot": None, "distance_m": None, "lat": None, "lon": None}
NOT_A_BOX = "write west,south,east,north in degrees, smaller first"
_NUMBER = "-?[0-9]{1,3}(\\.[0-9]{1,12})?"
_BOX = {
    "type": "string",
    "pattern": f"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$",
    "examples": ["-74.1,40.6,-73.7,40.9"],
}


def parse_box(text: str) -> Box:
    """Return `west,south,east,north` in degrees, or raise a ValueError."""
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise ValueError(NOT_A_BOX) from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(NOT_A_BOX)
    return west, south, east, north


class Page(BaseModel):
    """The query of a page of hotspots."""

    model_config = ConfigDict(extra="forbid")

    bbox: Annotated[Any, AfterValidator(parse_box), WithJsonSchema(_BOX)] = Field(
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
        model, index = champion(service.store)
        found = summary(index)
        rows, more = found.page(asked.bbox, asked.after, asked.limit)
        return GeoJson(
            {
                "type": "FeatureCollection",
                "version": model.version,
                "synthetic": model.synthetic,
                "by_zone": model.by_zone,
                "features": [found.feature(row) for row in rows],
                "next": int(found.ids[rows[-1]]) if more else None,
            }
        )


def _page(query: Mapping[str, str]) -> Page:
    try:
        return Page.model_validate(dict(query))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    errors = [
        {"parameter": str(one["loc"][0]), "detail": one["msg"].removeprefix("Value error, ")}
        for one in found
        if one["type"] != "extra_forbidden"
    ]
    if len(errors) < len(found):  # its name is the caller's text, which no answer repeats
        errors.append({"detail": f"unknown parameter; known: {', '.join(Page.model_fields)}"})
    detail = ": ".join(errors[0].values())
    raise ApiError(422, "invalid-request", detail, errors=errors)


def champion(store: ModelStore) -> tuple[Model, CoreIndex]:
    """Return the champion that has hotspots, of the first problem by name, and its index; a 404 if none has."""
    store.require_ready()
    for _, served in sorted(store.served.items()):
        if served.champion.hotspots is not None:
            return served.champion, served.champion.hotspots
    raise ApiError(404, "no-hotspots", "no bundle in force has hotspots")


def nearest(index: CoreIndex, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each point its hotspot, its centre, and the metres to its nearest core point, or null for all."""
    points = np.array([(row["lat"], row["lon"]) for row in rows], float)
    clusters, metres = index.query(points)
    known = summary(index)
    found = np.searchsorted(known.ids, clusters).tolist()
    return [
        {"hotspot": cluster, "distance_m": round(distance, 3), **known.centre(row)} if cluster >= 0 else dict(NOWHERE)
        for cluster, distance, row in zip(clusters.tolist(), metres.tolist(), found, strict=True)
    ]


class Summary:
    """The h hotspots of an index, sorted by id.

    `ids` and `n_core` (distinct core points) are int (h,); `lat` and `lon`, the mean of the core points, are float (h,)
    in degrees; `boxes` is float (h, 4): west, south, east, north.
    """

    def __init__(self, index: CoreIndex) -> None:
        order = np.argsort(index.clusters, kind="stable")
        points, clusters = index.points[order], index.clusters[order]
        self.ids, starts, self.n_core = np.unique(clusters, return_index=True, return_counts=True)
        if not len(self.ids):
            self.lat = self.lon = np.empty(0)
            self.boxes: NDArray[np.float64] = np.empty((0, 4))
            return
        low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
        means = np.add.reduceat(points, starts) / self.n_core[:, None]
        self.lat, self.lon = means.T
        self.boxes = np.column_stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]])

    def centre(self, row: int) -> dict[str, float]:
        """Return the mean of a hotspot's core points, in degrees."""
        return {name: round(float(values[row]), DECIMALS) for name, values in (("lat", self.lat), ("lon", self.lon))}

    def page(self, box: Box | None, after: int, limit: int) -> tuple[list[int], bool]:
        """Return the rows of this summary whose hotspots touch `box`, and whether more follow."""
        wanted = self.ids > after
        if box is not None:
            west, south, east, north = box
            wanted &= (self.boxes[:, 0] <= east) & (self.boxes[:, 2] >= west)
            wanted &= (self.boxes[:, 1] <= north) & (self.boxes[:, 3] >= south)
        found = np.flatnonzero(wanted)[: limit + 1].tolist()
        return found[:limit], len(found) > limit

    def feature(self, row: int) -> dict[str, Any]:
        """Return one hotspot as a GeoJSON feature."""
        centre = self.centre(row)
        return {
            "type": "Feature",
            "id": int(self.ids[row]),
            "bbox": np.round(self.boxes[row], DECIMALS).tolist(),
            "geometry": {"type": "Point", "coordinates": [centre["lon"], centre["lat"]]},
            "properties": {"hotspot": int(self.ids[row]), "n_core_points": int(self.n_core[row])},
        }


_summaries: WeakKeyDictionary[CoreIndex, Summary] = WeakKeyDictionary()


def summary(index: CoreIndex) -> Summary:
    """Return the summary of an index, made when first asked for; it goes with the index."""
    found = _summaries.get(index)
    if found is None:
        found = _summaries[index] = Summary(index)
    return found

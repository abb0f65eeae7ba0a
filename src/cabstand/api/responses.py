"""The bodies of responses, as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import JSONResponse, Response

Count = Annotated[int, Field(ge=0)]
Json = dict[str, Any]
NULL = "Null where the row was wrong."
SYNTHETIC = "Whether the bundle was made from synthetic trips."
BY_ZONE = "Whether the hotspots are of zone centroids, since their trips name no places."


class Body(BaseModel):
    """A response's body."""

    model_config = ConfigDict(defer_build=True)  # a function's first answer needs one of these, if any


class Problem(Body):
    """A problem detail (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Json] = []


class FieldError(Body):
    """What is wrong with one field."""

    pointer: str = Field(description="JSON pointer into the body.")
    detail: str


class RowErrors(Body):
    """What is wrong with one row of a batch."""

    row: Count
    errors: list[FieldError]


class Heading(Body):
    """What every answer of a model begins with."""

    problem: str
    version: str
    role: Literal["champion", "challenger"]
    synthetic: bool = Field(description=SYNTHETIC)
    request_id: str


class Prediction(Heading):
    """The answer to one row."""

    answer: Json


class Predictions(Heading):
    """The answers to a batch of rows."""

    answers: list[Annotated[Json | None, Field(description=NULL)]]
    errors: list[RowErrors]


class Nearest(Body):
    """The hotspot near a point."""

    hotspot: int | None = Field(description="Id, null where no core point is near.")
    distance_m: float | None = Field(description="Metres to its nearest core point.", json_schema_extra={"x-unit": "m"})
    lat: float | None = Field(description="Latitude of its centre.", json_schema_extra={"x-unit": "degree"})
    lon: float | None = Field(description="Longitude of its centre.", json_schema_extra={"x-unit": "degree"})


class NearestHotspot(Heading):
    """The answer to one point."""

    by_zone: bool = Field(description=BY_ZONE)
    answer: Nearest


class NearestHotspots(Heading):
    """The answers to a batch of points."""

    by_zone: bool = Field(description=BY_ZONE)
    answers: list[Annotated[Nearest | None, Field(description=NULL)]]
    errors: list[RowErrors]


class Hotspots(Body):
    """A page of hotspots as GeoJSON."""

    type: Literal["FeatureCollection"]
    version: str
    synthetic: bool = Field(description=SYNTHETIC)
    by_zone: bool = Field(description=BY_ZONE)
    features: list[Json]
    next: int | None = Field(description="`after` of the next page.")


class Root(Body):
    """Name, version and links."""

    name: str
    version: str
    links: dict[str, str]


class Health(Body):
    """The process is alive."""

    status: Literal["alive"]


class Ready(Body):
    """Something is served."""

    status: Literal["ready"]
    versions: dict[str, str]
    faults: dict[str, str] = Field(
        description="By problem, why its last refresh failed; its version above serves on, if there is one."
    )


class ServedProblem(Body):
    """The bundles that serve one problem."""

    problem: str
    description: str
    sequence: Count
    share: float = Field(ge=0, le=1)
    champion: Json
    challenger: Json | None


class Models(Body):
    """The bundles that serve each problem."""

    models: list[ServedProblem]


# What the document describes. Routes name these in `responses`, and return a `Response`: FastAPI's `response_model`
# imports pydantic's first version, which is a tenth of a cold start.
MODELS = (Problem, Prediction, Predictions, NearestHotspot, NearestHotspots, Hotspots, Root, Health, Ready, Models)


class GeoJson(JSONResponse):
    """JSON under GeoJSON's media type."""

    media_type = "application/geo+json"


def json_response(content: Any) -> Response:
    """Return a model or plain content as JSON, null for what is not finite."""
    return Response(to_json(content, inf_nan_mode="null"), media_type="application/json")

"""The manifest of a run in steps, which is checked whole where it is read: a lake may hold anybody's files."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from cabstand.errors import DataError, first_fault

SCHEMA_VERSION = 1
NOTHING, INTERRUPTED = "nothing to do", "interrupted"  # how a step ends that waits for data, or is told to end
HINT = "remove it to start again"


def _with_zone(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("without a time zone")
    return text


Moment = Annotated[str, AfterValidator(_with_zone)]
# Keys name files and pages.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Thing(_Part):
    uri: str
    sha256: str


class _Span(_Part):
    name: str
    span_id: str
    parent_id: str
    started_ns: int
    ended_ns: int
    error: str


class _Step(_Part):
    status: Literal["running", "waiting", "done", "failed", "interrupted", "nothing to do"]
    started: Moment
    ended: Moment | None = None
    attempts: int = Field(ge=1)
    peak_rss_mb: float = 0.0
    timeout_s: float = 0.0
    result: dict[str, JsonValue] = {}
    inputs: list[_Thing] = []
    outputs: list[_Thing] = []
    spans: list[_Span] = []
    command: list[str] = Field([""], min_length=1)
    error: str = ""
    log_uri: str = ""
    log_tail: list[str] = []

    @model_validator(mode="after")
    def _has_what_done_means(self) -> _Step:
        if self.status == "done" and not {"result", "ended"} <= self.model_fields_set:
            raise ValueError("done, without a result or an end")
        return self


class _Manifest(_Part):
    schema_version: Literal[1]
    run_key: Key
    params: dict[str, JsonValue]
    started: Moment | None = None
    planned: list[str] = []
    code_version: str = ""
    run_id: str | None = None
    trace_id: str | None = None
    identity: str | None = None
    owner: dict[str, str] = {}
    steps: dict[str, _Step]


def parse(data: bytes, uri: str) -> dict[str, Any]:
    """Return the manifest in a file's content; a DataError names the first part that is not as it must be."""
    try:
        _Manifest.model_validate_json(data)
    except ValidationError as error:
        place, message = first_fault(error, "the file")
        what = "the manifest of another version" if place == "schema_version" else "not a run's manifest"
        raise DataError(f"{what}: {place}: {message}", where=uri, hint=HINT) from error
    found: dict[str, Any] = json.loads(data)  # with what this version does not know
    return found

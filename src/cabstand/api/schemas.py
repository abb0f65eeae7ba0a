"""Request bodies as a bundle declares them: a compiled validator and a JSON schema from the same fields.

pydantic-core parses the bytes, which refuses deep nesting and surrogates, and validates what it parsed: NaN, infinity
or 1e400 fail like any other number out of bounds. It does not validate the bytes directly, because each error would
then hold a copy of the object it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json, to_json

from cabstand.api.errors import MAX_ERRORS, MAX_ERRORS_BYTES, ApiError
from cabstand.modelling.fields import KINDS, Field
from cabstand.modelling.predictor import BATCH_ROWS

MAX_ROWS = BATCH_ROWS
MAX_DETAIL = 200  # characters: a category may have many choices
Row = dict[str, Any]
RowError = dict[str, Any]


class Batch(NamedTuple):
    """The rows of a batch: how many, the good ones with their index, and the errors of the bad ones that fit."""

    n_rows: int
    good: list[tuple[int, Row]]
    errors: list[RowError]


def _timestamp_pattern() -> str:
    """Return the pattern of a local time that exists, from 1900 to 2099, leap days included."""
    month_day = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    month_day += "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    leap = "(?:(?:19|20)(?:0[48]|[2468][048]|[13579][26])|2000)-02-29"
    return f"^(?:(?:19|20)[0-9]{{2}}-{month_day}|{leap})T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?$"


TIMESTAMP = _timestamp_pattern()
NOT_A_TIME = "Input should be a local time without a zone, as in 2023-03-01T08:15:00"
COORDINATES = (
    Field("lat", "number", "degree", -90, 90, "Latitude, WGS 84.", example=40.7527),
    Field("lon", "number", "degree", -180, 180, "Longitude, WGS 84.", example=-73.9772),
)


class RowSchema:
    """The valid rows of a request."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self._names = [one.name for one in fields]
        self._columns = [(one.name, np.dtype(KINDS[one.kind])) for one in fields]
        self._max_values = 2 * MAX_ROWS * (1 + sum(1 + max(map(_n_values, one.choices or [""])) for one in fields))
        row = core_schema.typed_dict_schema(
            {one.name: core_schema.typed_dict_field(_value(one), required=not one.optional) for one in fields},
            extra_behavior="forbid",
        )
        rows = core_schema.list_schema(row, min_length=1, max_length=MAX_ROWS, fail_fast=True)
        self._row = SchemaValidator(row)
        self._rows = SchemaValidator(_body(rows))
        self._any_rows = SchemaValidator(_body(core_schema.list_schema(min_length=1, max_length=MAX_ROWS)))

    def one(self, body: bytes) -> Row:
        """Return the row of a body, or raise a 400 (not JSON) or 422 with an entry for each wrong field."""
        content = self._parse(body)
        try:
            row: Row = self._row.validate_python(content)
        except ValidationError as error:
            raise refusal(error, self._names) from None
        return row

    def many(self, body: bytes) -> Batch:
        """Return a batch's rows, or raise a 400 (not JSON) or 422 (no row is valid)."""
        content = self._parse(body)
        try:
            rows = self._rows.validate_python(content)["rows"]
            return Batch(len(rows), list(enumerate(rows)), [])
        except ValidationError as error:
            batch = self._each(content, error)
        if not batch.good:
            errors = [
                {"pointer": f"/rows/{one['row']}{entry['pointer']}", "detail": entry["detail"]}
                for one in batch.errors
                for entry in one["errors"]
            ]
            raise ApiError(422, "invalid-request", "no row of the batch is valid", errors=errors)
        return batch

    def columns(self, rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
        """Return valid rows as the columns that feature functions read, (n,) each."""
        # None, an optional number that was left out, becomes NaN.
        return {name: np.array([row.get(name) for row in rows], kind) for name, kind in self._columns}

    def json_schema(self) -> dict[str, Any]:
        """Return the row as OpenAPI 3.1 describes it."""
        return {
            "type": "object",
            "properties": {one.name: _describe(one) for one in self.fields},
            "required": [one.name for one in self.fields if not one.optional],
            "additionalProperties": False,
            "examples": [self.example()],
        }

    def example(self) -> Row:
        """Return a row made of the fields' examples."""
        return {one.name: one.example for one in self.fields if one.example is not None}

    def _parse(self, body: bytes) -> Any:
        """Return a body's content; one with more values than any valid batch could have would take long to parse."""
        if _n_values(body) > self._max_values:
            raise ApiError(422, "invalid-request", f"the body has more values than {MAX_ROWS:,} rows can have")
        try:
            return from_json(body)
        except ValueError:
            raise ApiError(400, "invalid-json", "the body is not valid JSON") from None

    def _each(self, content: Any, first: ValidationError) -> Batch:
        try:
            rows = self._any_rows.validate_python(content)["rows"]
        except ValidationError as error:
            raise refusal(error, ["rows"]) from first
        good: list[tuple[int, Row]] = []
        errors: list[RowError] = []
        room = MAX_ERRORS_BYTES
        for index, row in enumerate(rows):
            try:
                good.append((index, self._row.validate_python(row)))
            except ValidationError as error:  # kept no longer than needed: it may hold a megabyte
                if room > 0:
                    entry = {"row": index, "errors": _entries(error, self._names)}
                    room -= len(to_json(entry)) + 1
                    errors += [entry] if room >= 0 else []
        return Batch(len(rows), good, errors)


def refusal(error: ValidationError, known: Sequence[str]) -> ApiError:
    """Return the problem that stands for content that is not valid, without any of it."""
    return ApiError(422, "invalid-request", f"{error.error_count()} invalid value(s)", errors=_entries(error, known))


def _value(one: Field) -> core_schema.CoreSchema:
    if one.kind == "timestamp":
        return core_schema.str_schema(strict=True, pattern=TIMESTAMP)
    if one.kind == "category":
        return core_schema.literal_schema(list(one.choices or ()))
    if one.kind == "integer":
        low, high = _whole(one)
        return core_schema.int_schema(strict=True, ge=low, le=high)
    number = core_schema.float_schema(strict=True, allow_inf_nan=False, ge=one.minimum, le=one.maximum)
    return core_schema.nullable_schema(number) if one.optional else number


def _whole(one: Field) -> tuple[int, int]:
    low = -(2**53) if one.minimum is None else int(one.minimum)
    return low, 2**53 if one.maximum is None else int(one.maximum)


def _body(rows: core_schema.CoreSchema) -> core_schema.CoreSchema:
    return core_schema.typed_dict_schema({"rows": core_schema.typed_dict_field(rows)}, extra_behavior="forbid")


def _describe(one: Field) -> dict[str, Any]:
    unit = f" Unit: {one.unit}." if one.unit else ""
    schema: dict[str, Any] = {"description": one.description + unit}
    if one.unit:
        schema["x-unit"] = one.unit
    if one.kind == "timestamp":
        schema |= {"type": "string", "pattern": TIMESTAMP}
    elif one.kind == "category":
        schema |= {"type": "string", "enum": list(one.choices or ())}
    else:
        schema |= {"type": ["number", "null"] if one.optional else one.kind}
        low, high = _whole(one) if one.kind == "integer" else (one.minimum, one.maximum)
        schema |= {name: value for name, value in (("minimum", low), ("maximum", high)) if value is not None}
    return schema | ({"examples": [one.example]} if one.example is not None else {})


def _n_values(text: str | bytes) -> int:
    """Return the number of values and containers in JSON, or more: marks within strings are counted too."""
    data = text.encode() if isinstance(text, str) else text
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _listed(error: ValidationError) -> list[Any]:
    if error.error_count() > 10_000:  # a list of them would cost more than the whole request
        raise ApiError(422, "invalid-request", f"{error.error_count()} invalid values")
    return error.errors(include_url=False, include_context=False, include_input=False)


def _entries(error: ValidationError, known: Sequence[str]) -> list[dict[str, str]]:
    """Return what is wrong; an unknown field's name is the caller's text, so that its entry points to its object."""
    entries: dict[tuple[str, str], None] = {}
    for entry in _listed(error):
        location, detail = entry["loc"], entry["msg"]
        if entry["type"] == "extra_forbidden":
            location, detail = location[:-1], f"Unknown field; known: {', '.join(known)}"
        elif entry["type"] == "string_pattern_mismatch":
            detail = NOT_A_TIME
        entries[_pointer(location), detail[:MAX_DETAIL]] = None
    return [{"pointer": pointer, "detail": detail} for pointer, detail in entries][:MAX_ERRORS]


def _pointer(location: Iterable[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)

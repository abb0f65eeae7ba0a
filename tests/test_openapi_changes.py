"""docs/openapi.json is what the service describes, and a change that breaks clients needs a higher major version."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import validate

from scripted import script

ROOT = Path(__file__).resolve().parents[1]
Schema = dict[str, Any]
ROW: Schema = {
    "type": "object",
    "properties": {
        "zone": {"type": "integer", "minimum": 1, "maximum": 265},
        "note": {"type": ["string", "null"], "maxLength": 9},
        "end": {"enum": ["pickup", "dropoff"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
    "required": ["zone"],
    "additionalProperties": False,
}
ANSWER: Schema = {
    "type": "object",
    "properties": {
        "minutes": {"type": "number"},
        "why": {"enum": ["model", "fallback"]},
        "next": {"anyOf": [{"$ref": "#/components/schemas/Answer"}, {"type": "null"}]},
    },
    "required": ["minutes", "why"],
}
JSON = "application/json"
BEFORE: Schema = {
    "info": {"version": "1.4.2"},
    "paths": {
        "/ride": {
            "post": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
                    {"name": "page", "in": "query", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
                ],
                "requestBody": {"required": False, "content": {JSON: {"schema": ROW}}},
                "responses": {
                    "200": {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Answer"}}}},
                    "404": {"content": {JSON: {"schema": {"type": "object"}}}},
                },
            },
            "get": {"responses": {"200": {"description": "As text."}}},
        }
    },
    "components": {"schemas": {"Answer": ANSWER}},
}


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return script("openapi_page")


def test_the_committed_document_is_the_service_s(page: ModuleType) -> None:
    committed, now = (ROOT / "docs/openapi.json").read_text(), page.current()
    assert page.breaks(json.loads(committed), now) == []
    assert committed == page.text(now), "docs/openapi.json is out of date (make docs)"
    validate(json.loads(committed))


def row(after: Schema) -> Schema:
    found: Schema = after["paths"]["/ride"]["post"]["requestBody"]["content"][JSON]["schema"]
    return found


def operation(after: Schema) -> Schema:
    found: Schema = after["paths"]["/ride"]["post"]
    return found


def reply(after: Schema) -> Schema:
    found: Schema = after["components"]["schemas"]["Answer"]
    return found


BREAKING: dict[str, tuple[Callable[[Schema], Any], str]] = {
    "path": (lambda new: new["paths"].pop("/ride"), "POST /ride: removed"),
    "method": (lambda new: new["paths"]["/ride"].pop("get"), "GET /ride: removed"),
    "parameter": (lambda new: operation(new)["parameters"].pop(0), "parameter limit in query: removed"),
    "required parameter": (
        lambda new: operation(new)["parameters"].append({"name": "n", "in": "query", "required": True, "schema": {}}),
        "parameter n in query: now required",
    ),
    "parameter's limit": (
        lambda new: operation(new)["parameters"][0]["schema"].update(maximum=50), "maximum 100 where it has to be 50",
    ),
    "pattern": (
        lambda new: operation(new)["parameters"][1]["schema"].update(pattern="^[1-9]$"), "pattern ^[0-9]+$ where",
    ),
    "body": (lambda new: operation(new)["requestBody"].update(required=True), "a body is now required"),
    "request's media type": (lambda new: operation(new)["requestBody"]["content"].pop(JSON), "no longer accepted"),
    "request field": (lambda new: row(new)["properties"].pop("note"), "request.note: removed"),
    "required field": (lambda new: row(new)["required"].append("note"), "request.note: now required"),
    "new required field": (
        lambda new: (row(new)["properties"].update(new={}), row(new)["required"].append("new")),
        "request.new: now required",
    ),
    "request's type": (lambda new: row(new)["properties"]["note"].update(type="string"), "null or string where it has"),
    "request's values": (lambda new: row(new)["properties"]["end"].update(enum=["pickup"]), "where only ['pickup']"),
    "lower limit": (lambda new: row(new)["properties"]["zone"].update(minimum=2), "minimum 1 where it has to be 2"),
    "new limit": (lambda new: row(new)["properties"]["tags"].update(minItems=1), "minItems none where it has to be 1"),
    "items": (
        lambda new: row(new)["properties"]["tags"].update(items={"type": "integer"}), "request.tags[]: string where",
    ),
    "status": (lambda new: operation(new)["responses"].pop("404"), "response 404: removed"),
    "response's media type": (
        lambda new: operation(new)["responses"]["200"]["content"].pop(JSON), "response 200: no longer application/json",
    ),
    "response field": (lambda new: reply(new)["properties"].pop("minutes"), "response 200.minutes: removed"),
    "optional response field": (lambda new: reply(new)["properties"].pop("next"), "response 200.next: removed"),
    "certain field": (lambda new: reply(new)["required"].remove("why"), "response 200.why: no longer certain"),
    "response's type": (
        lambda new: reply(new)["properties"]["minutes"].update(type=["number", "null"]), "null or number where it has",
    ),
    "response's values": (
        lambda new: reply(new)["properties"]["why"]["enum"].append("cache"), "where only ['model', 'fallback']",
    ),
    "response's choices": (
        lambda new: reply(new)["properties"]["next"]["anyOf"].append({"type": "string"}), "string is not among Answer",
    ),
}  # fmt: skip
HARMLESS: dict[str, Callable[[Schema], Any]] = {
    "nothing": lambda new: None,
    "path": lambda new: new["paths"].update({"/new": {"get": {"responses": {}}}}),
    "optional parameter": lambda new: operation(new)["parameters"].append({"name": "n", "in": "query", "schema": {}}),
    "optional request field": lambda new: row(new)["properties"].update(new={"type": "string"}),
    "fewer required": lambda new: row(new)["required"].clear(),
    "further fields": lambda new: row(new).pop("additionalProperties"),
    "wider request": lambda new: row(new)["properties"]["zone"].update(type="number", minimum=0, maximum=300),
    "response field": lambda new: reply(new)["properties"].update(new={"type": "string"}),
    "narrower response": lambda new: reply(new)["properties"]["minutes"].update(type="integer"),
    "fewer values": lambda new: reply(new)["properties"]["why"].update(enum=["model"]),
    "status": lambda new: operation(new)["responses"].update({"429": {}}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_clients(page: ModuleType, name: str) -> None:
    change, said = BREAKING[name]
    after = deepcopy(BEFORE)
    change(after)
    found = page.breaks(BEFORE, after)
    assert any(said in one for one in found), found
    after["info"]["version"] = "1.5.0"
    assert page.breaks(BEFORE, after)
    after["info"]["version"] = "2.0.0"
    assert page.breaks(BEFORE, after) == []


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not(page: ModuleType, name: str) -> None:
    after = deepcopy(BEFORE)
    HARMLESS[name](after)
    assert page.breaks(BEFORE, after) == []


def test_a_breaking_document_is_not_written(page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = page.current()
    before["paths"]["/gone"] = {"get": {"responses": {}}}
    monkeypatch.setattr(page, "PAGE", tmp_path / "openapi.json")
    page.PAGE.write_text(json.dumps(before))
    with pytest.raises(SystemExit, match="GET /gone: removed"):
        page.main()
    assert "/gone" in page.PAGE.read_text()

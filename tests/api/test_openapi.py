"""The document describes what the service does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from bundles import point, small_bundle
from cabstand.api.errors import ApiError
from cabstand.api.routes.system import docs_page
from cabstand.api.schemas import TIMESTAMP, RowSchema
from cabstand.modelling.fields import Field
from cabstand.settings import Settings
from serving import client_of, make_home, service_of


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder: Path = tmp_path_factory.mktemp("home")
    return client_of(Settings(home=folder), make_home(folder))


def test_every_field_has_bounds_and_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    row = document["paths"]["/v1/trip-duration/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert row["additionalProperties"] is False
    assert row["properties"]["pickup_zone"]["minimum"] == 1
    assert row["properties"]["pickup_zone"]["maximum"] == 265
    assert client.post("/v1/trip-duration/predict", json=row["examples"][0]).status_code == 200
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) is (path not in {"/", "/healthz", "/readyz"})


def test_before_a_bundle_every_route_is_described(tmp_path: Path) -> None:
    client = client_of(Settings(home=tmp_path), load=False)
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {*paths_of(client)} - {"/docs", "/openapi.json"}


def test_every_route_and_every_problem_is_described(client: TestClient) -> None:
    paths = set(client.get("/openapi.json").json()["paths"])
    routes = paths_of(client)
    assert {"/v1/{problem}/predict", "/v1/{problem}/predict/batch", "/v1/hotspots", "/v1/hotspots/nearest"} <= routes
    served = {f"/v1/{name}/predict{suffix}" for name in ("iris", "trip-duration") for suffix in ("", "/batch")}
    assert paths == routes - {"/docs", "/openapi.json"} | served


def test_the_document_is_valid_openapi(client: TestClient) -> None:
    validate(client.get("/openapi.json").json())


def test_a_new_bundle_changes_the_document(tmp_path: Path) -> None:
    client = client_of(Settings(home=tmp_path))
    assert "/v1/iris/predict" not in client.get("/openapi.json").json()["paths"]
    small_bundle(tmp_path / "artifacts", "iris")
    point(tmp_path / "artifacts", "iris")
    service_of(client).store.refresh()
    assert "/v1/iris/predict" in client.get("/openapi.json").json()["paths"]


def paths_of(client: TestClient) -> set[str]:
    """The paths of an application's routes."""
    return {route.path for route in client.app.routes}  # type: ignore[attr-defined]


def test_the_page_runs_its_own_script_alone(client: TestClient) -> None:
    policy = client.get("/docs").headers["content-security-policy"]
    assert policy.count("'sha256-") == 2
    page = docs_page()[0].decode()
    assert not re.search(r"https?://|\son\w+=|\sstyle=", page)


@given(st.datetimes(), st.booleans())
def test_a_time_that_exists_is_taken(moment: object, with_seconds: bool) -> None:
    text = moment.isoformat(timespec="seconds" if with_seconds else "minutes")  # type: ignore[attr-defined]
    assert bool(re.fullmatch(TIMESTAMP, text)) is ("1900" <= text[:4] <= "2099")


@given(st.from_regex(TIMESTAMP, fullmatch=True))
def test_a_time_that_is_taken_exists(text: str) -> None:
    import numpy as np

    assert not np.isnat(np.datetime64(text.strip(), "s"))


NUMBER = Field("x", "number", "km", -1.5, 9.0, "x", optional=True, example=1.0)
CHOICE = Field("c", "category", "", None, None, "c", choices=("a", "b"), example="a")


@given(st.floats() | st.integers() | st.none() | st.booleans() | st.text(), st.sampled_from(["a", "b", "c", "A"]))
def test_bounds_are_those_that_are_declared(value: object, choice: str) -> None:
    from pydantic_core import to_json

    schema = RowSchema((NUMBER, CHOICE))
    body = to_json({"x": value, "c": choice}, inf_nan_mode="constants")
    number = isinstance(value, float | int) and not isinstance(value, bool)
    good = (value is None or (number and -1.5 <= value <= 9.0)) and choice in {"a", "b"}  # type: ignore[operator]
    if good:
        assert schema.columns([schema.one(body)])["x"].dtype == float
        return
    with pytest.raises(ApiError) as refused:
        schema.one(body)
    assert refused.value.status == 422

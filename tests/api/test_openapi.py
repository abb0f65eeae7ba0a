"""The document describes what the service does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cabstand.api import openapi
from cabstand.api.errors import ApiError
from cabstand.api.schemas import TIMESTAMP, RowSchema
from cabstand.modelling.fields import Field
from cabstand.settings import Settings
from serving import client_of, make_home


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


def test_before_a_bundle_there_is_a_document_too(tmp_path: Path) -> None:
    document = client_of(Settings(home=tmp_path), load=False).get("/openapi.json").json()
    assert "/healthz" in document["paths"]


def test_the_page_runs_its_own_script_alone(client: TestClient) -> None:
    policy = client.get("/docs").headers["content-security-policy"]
    assert policy.count("'sha256-") == 2
    page = openapi.docs_page()[0].decode()
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

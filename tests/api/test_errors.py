"""Answers to wrong bodies: bounded in bytes and in work, and nothing of the request in them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from cabstand.api.errors import MAX_ERRORS_BYTES, ApiError, fitting
from cabstand.api.schemas import MAX_DETAIL, RowSchema
from cabstand.modelling import catalog
from cabstand.modelling.fields import Field
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, make_home

BATCH = f"{PREDICT}/batch"
MAX_CALLS = 40_000  # of functions, Python's and C's: some 10 ms


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("home")
    return client_of(Settings(home=folder), make_home(folder))


def unknown(n: int) -> dict[str, Any]:
    return {f"planted{i}": 1 for i in range(n)}


def packed(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


BODIES = {
    "many unknown keys in every row": packed({"rows": [ROW, *[unknown(60)] * 999]}),
    "a few unknown keys in every row": packed({"rows": [ROW, *[unknown(6)] * 999]}),
    "one row of unknown keys": packed({"rows": [ROW, unknown(60_000)]}),
    "unknown keys beside the rows": packed({"rows": [ROW], **unknown(60_000)}),
    "some unknown keys beside the rows": packed({"rows": [ROW], **unknown(5_000)}),
    "every row lacks every field": packed({"rows": [ROW, *[{}] * 999]}),
    "every field of every row is wrong": packed({"rows": [ROW, *[dict.fromkeys(ROW, "planted" * 40)] * 999]}),
    "rows of many empty lists": packed({"rows": [ROW, [[]] * 300_000]}),
    "a long unknown key": packed({"rows": [ROW, ROW | {"planted" * 100_000: 1}]}),
    "no valid row": packed({"rows": [unknown(6)] * 1_000}),
    "no batch": packed(unknown(60_000)),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("path", [PREDICT, BATCH])
def test_errors_are_bounded_and_repeat_nothing(client: TestClient, path: str, kind: str) -> None:
    answer = client.post(path, content=BODIES[kind])
    assert answer.status_code in {200, 422}
    assert "planted" not in answer.text
    assert len(packed(answer.json().get("errors", []))) <= MAX_ERRORS_BYTES
    assert len(answer.content) <= MAX_ERRORS_BYTES + 8_000


@pytest.mark.parametrize("kind", BODIES)
def test_the_work_of_a_refusal_is_bounded(kind: str) -> None:
    schema = RowSchema(catalog.find("trip-duration").fields)
    n_calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    for read in (schema.one, schema.many):
        n_calls, before = 0, sys.getprofile()
        sys.setprofile(count)
        try:
            read(BODIES[kind])
        except ApiError as error:
            assert error.status == 422  # noqa: PT017
        finally:
            sys.setprofile(before)
        assert n_calls < MAX_CALLS


def peak_bytes(run: Callable[[], object]) -> int:
    """The most memory that a call held at once."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ApiError):
            run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_errors_hold_no_copies_of_the_body() -> None:
    """Where a row lacks 50 fields, each of the 50 errors once held the row, parsed anew."""
    names = [f"f{i}" for i in range(50)]
    schema = RowSchema([Field(name, "number", "", 0, 1, "x") for name in names])
    row = dict.fromkeys(names, 0.5)
    parsed = peak_bytes(lambda: json.loads(packed({"rows": [row] * 1_000})))
    for read, body in (
        (schema.one, packed({"rows": [row] * 1_000})),
        (schema.many, packed({"rows": [row, {"other": [row] * 900}]})),
    ):
        assert peak_bytes(lambda read=read, body=body: read(body)) < 3 * parsed  # type: ignore[misc]


MANY_CHOICES = """
import json
from cabstand.api.errors import ApiError
from cabstand.api.schemas import RowSchema
from cabstand.modelling.fields import Field

choices = tuple(f"choice {number}" for number in range(200))
schema = RowSchema([Field(f"f{number}", "category", "", None, None, "x", choices=choices) for number in range(50)])
body = json.dumps({"rows": [{f"f{number}": "none" for number in range(50)}] * 1000}).encode()

def most():
    with open("/proc/self/status") as status:  # ru_maxrss would be that of the process that started this one
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM:")))

before = most()
try:
    schema.many(body)
except ApiError:
    print((most() - before) // 1024)
"""


def test_errors_that_do_not_fit_are_not_kept() -> None:
    """Half a megabyte of rows that are wrong in fifty fields of many choices: their errors would be 140 MiB."""
    done = subprocess.run([sys.executable, "-c", MANY_CHOICES], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50


def test_a_body_with_too_many_values_is_not_parsed(client: TestClient) -> None:
    for path in (PREDICT, BATCH, "/v1/hotspots/nearest"):
        answer = client.post(path, content=b'{"a":' + b"[],[[]],{}," * 50_000)  # nor noticed not to be JSON
        assert answer.status_code == 422
        assert answer.json()["detail"] == "the body has more values than 1,000 rows can have"


def test_a_batch_as_large_as_allowed_is_taken_whatever_its_choices_contain() -> None:
    choice = "[a], {b}, c" * 20
    schema = RowSchema([Field("c", "category", "", None, None, "c", choices=(choice,))])
    assert len(schema.many(packed({"rows": [{"c": choice}] * 1_000})).good) == 1_000


def test_an_unknown_field_points_to_its_row_and_names_the_known_ones(client: TestClient) -> None:
    reply = client.post(BATCH, json={"rows": [ROW, ROW | unknown(3)]}).json()
    known = "Unknown field; known: pickup_zone, dropoff_zone, pickup_at"
    assert reply["errors"] == [{"row": 1, "errors": [{"pointer": "", "detail": known}]}]
    assert client.post(PREDICT, json=ROW | unknown(3)).json()["errors"] == [{"pointer": "", "detail": known}]
    errors = client.post(BATCH, json={"rows": [ROW | unknown(3)]}).json()["errors"]
    assert errors == [{"pointer": "/rows/0", "detail": known}]


def test_rows_whose_errors_do_not_fit_are_null_nevertheless(client: TestClient) -> None:
    reply = client.post(BATCH, content=BODIES["every row lacks every field"]).json()
    assert reply["answers"].count(None) == 999
    assert [one["row"] for one in reply["errors"]] == list(range(1, len(reply["errors"]) + 1))
    assert 100 < len(reply["errors"]) < 999


def test_a_long_list_of_choices_is_cut() -> None:
    schema = RowSchema([Field("c", "category", "", None, None, "c", choices=tuple(map(str, range(10_000))))])
    with pytest.raises(ApiError) as refused:
        schema.one(b'{"c": "x"}')
    assert refused.value.errors is not None
    assert len(refused.value.errors[0]["detail"]) == MAX_DETAIL


def test_an_unknown_query_parameter_is_not_repeated(client: TestClient) -> None:
    answer = client.get("/v1/hotspots?planted=1&limit=0&planted2=planted")
    assert answer.status_code == 422
    assert "planted" not in answer.text
    named = [one.get("parameter") for one in answer.json()["errors"]]
    assert named == ["limit", None]


def test_what_does_not_fit_is_not_computed() -> None:
    made = 0

    def endless() -> Any:
        nonlocal made
        while True:
            made += 1
            yield {"detail": "x" * 1_000}

    assert len(fitting(endless())) == made - 1 < 66

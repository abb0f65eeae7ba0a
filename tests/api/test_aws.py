"""The handler in process: events of every kind, and the same answers as over HTTP."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.api.aws import Handler, guarded, lambda_handler
from cabstand.settings import Settings
from lambda_events import ROW, event
from serving import PREDICT, client_of, make_home

LINES = io.StringIO()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("home")
    return folder, make_home(folder)


@pytest.fixture(scope="module")
def handler(home: tuple[Path, str]) -> Handler:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CABSTAND_HOME", str(home[0]))
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cabstand")
        patch.setattr("cabstand.api.aws.configure", lambda level, **_: None)
        patch.setattr("sys.stdout", LINES)
        return lambda_handler()


def test_the_same_answers_as_over_http(handler: Handler, home: tuple[Path, str]) -> None:
    client = client_of(Settings(home=home[0]), home[1])
    rows = {"rows": [ROW | {"pickup_zone": zone} for zone in range(1, 100)]}
    over_http = client.post(f"{PREDICT}/batch", json=rows).json()
    answer = handler(event("POST", f"{PREDICT}/batch", rows, **{"x-api-key": home[1]}), None)
    assert json.loads(answer["body"])["answers"] == over_http["answers"]
    logged = LINES.getvalue()
    assert logged.count('"event":"prediction"') == 99
    assert home[1] not in logged


def test_a_body_in_base64(handler: Handler, home: tuple[Path, str]) -> None:
    sent = event("POST", PREDICT, ROW, **{"X-Api-Key": home[1]})
    sent |= {"body": base64.b64encode(sent["body"].encode()).decode(), "isBase64Encoded": True}
    assert handler(sent, None)["statusCode"] == 200


def test_a_failure_of_the_adapter_is_a_problem() -> None:
    def fail(sent: Any, context: Any) -> Any:
        raise ValueError("secret")

    answer = guarded(fail)(event("GET", "/"), None)
    assert answer["statusCode"] == 500
    assert "secret" not in answer["body"]


RESTORED = """
import json, os, sys
from cabstand.api.aws import lambda_handler
handler = lambda_handler()
for _ in range(3):
    sys.stdout.flush()
    if os.fork() == 0:
        for _ in range(3):
            answer = handler(json.loads(sys.argv[1]), None)
            print("answer", json.dumps(answer))
        os._exit(sys.stdout.flush() or 0)
    os.wait()
"""


def test_copies_of_one_snapshot_share_no_id(home: tuple[Path, str]) -> None:
    """What SnapStart does: several copies go on from one initialised process."""
    sent = event("POST", PREDICT, ROW, **{"x-api-key": home[1]})
    env = {"CABSTAND_HOME": str(home[0]), "AWS_LAMBDA_FUNCTION_NAME": "cabstand", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", RESTORED, json.dumps(sent)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=60)
    answers = [json.loads(one[7:]) for one in done.stdout.splitlines() if one.startswith("answer ")]
    assert [one["statusCode"] for one in answers] == [200] * 9, done.stderr
    assert len({one["headers"]["x-request-id"] for one in answers}) == 9
    assert len({one["headers"]["traceparent"] for one in answers}) == 9
    assert len({json.loads(one["body"])["answer"]["duration_min"] for one in answers}) == 1


TEXT = st.text(st.characters(), max_size=30)  # lone surrogates among them
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=60)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PATCH", "\ud800", ""]),
    path=st.sampled_from(["/", "/healthz", PREDICT, f"{PREDICT}/batch", "/v1/hotspots"])
    | TEXT.map(lambda text: f"/{text}"),
    query=TEXT | st.none(),
    headers=st.dictionaries(TEXT, TEXT | st.none(), max_size=4) | st.none(),
    body=TEXT | st.none() | st.just(json.dumps(ROW)),
    coded=st.booleans() | st.none(),
)
def test_no_event_is_unanswered(
    handler: Handler, home: tuple[Path, str], method: str, path: str, query: Any, headers: Any, body: Any, coded: Any
) -> None:
    sent = event("GET", "/", None)
    sent["requestContext"]["http"] |= {"method": method, "path": path}
    headers = None if headers is None else headers | {"x-api-key": home[1]}
    sent |= {"rawPath": path, "rawQueryString": query, "headers": headers, "body": body, "isBase64Encoded": coded}
    answer = handler(sent, None)
    assert 200 <= answer["statusCode"] < 500
    json.dumps(answer).encode()


@given(JSON | st.dictionaries(TEXT, JSON, max_size=4))
def test_what_is_no_event_is_refused(handler: Handler, sent: Any) -> None:
    assert handler(sent, None)["statusCode"] == 400

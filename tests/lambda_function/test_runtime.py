"""The packed function in Lambda's own runtime: whole, odd and repeated events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import hostile
import lambda_runtime
from bundles import point, small_bundle
from cabstand.io import keys
from cabstand.settings import Settings
from lambda_events import ROW, event
from lambda_runtime import Function
from serving import make_key

pytestmark = pytest.mark.lambda_


@pytest.fixture(scope="module")
def function(
    python: tuple[str, str], tree: Path, runtime: Path, home: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Function]:
    log = tmp_path_factory.mktemp("log") / "function.log"
    with lambda_runtime.running(python[0], tree, runtime, log, CABSTAND_HOME=str(home[0])) as found:
        yield found


def test_answers_and_logs_lines(function: Function, home: tuple[Path, str]) -> None:
    answer = function.invoke(event("POST", "/v1/trip-duration/predict", ROW, **{"x-api-key": home[1]}))
    assert answer["statusCode"] == 200
    reply = json.loads(answer["body"])
    assert reply["version"] == "v1"
    assert reply["answer"]["low"] < reply["answer"]["duration_min"] < reply["answer"]["high"]
    lines = [json.loads(text) for text in function.log.read_text().splitlines() if text.startswith("{")]
    (predicted,) = [
        one for one in lines if one.get("event") == "prediction" and one["request_id"] == reply["request_id"]
    ]
    assert predicted["features"] == ROW
    (request,) = [one for one in lines if one.get("event") == "request" and one["request_id"] == reply["request_id"]]
    named = {one["Name"] for one in request["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert {"Requests", "LatencyMs", "Errors5xx", "Predictions", "PredictionsDropped"} <= named <= set(request)
    assert home[1] not in function.log.read_text()


@pytest.mark.parametrize(
    ("odd", "status"),
    [
        ({}, 400),
        ({"requestContext": None}, 400),
        ({"detail-type": "Scheduled Event"}, 400),
        (event("POST", "/v1/trip-duration/predict", "\ud800"), 401),
        (event("GET", "/healthz") | {"headers": {"x": None, "y": "\ud800"}}, 200),
        (event("GET", "/healthz") | {"headers": None, "cookies": None, "rawQueryString": None}, 200),
        (event("GET", "/\ud800"), 400),
        (event("POST", "/v1/trip-duration/predict", "%%%") | {"isBase64Encoded": True}, 400),
        (event("GET", "/v1/models"), 401),
    ],
)
def test_odd_events_get_an_answer(function: Function, odd: dict[str, object], status: int) -> None:
    assert function.invoke(odd)["statusCode"] == status


def test_request_ids_are_never_repeated(function: Function) -> None:
    ids = [function.invoke(event("GET", "/healthz"))["headers"]["x-request-id"] for _ in range(50)]
    assert len(set(ids)) == 50


def test_thawed_it_knows_what_has_changed(python: tuple[str, str], tree: Path, runtime: Path, tmp_path: Path) -> None:
    """Its first answers, not some later ones, are by the new pointer and the new keys."""
    small_bundle(tmp_path / "artifacts")
    small_bundle(tmp_path / "artifacts", version="v2")
    point(tmp_path / "artifacts")
    settings = Settings(home=tmp_path)
    revoked, kept = make_key(settings, "revoked"), make_key(settings, "kept")
    env = {"CABSTAND_HOME": str(tmp_path), "CABSTAND_API_REFRESH_S": "2", "CABSTAND_API_KEYS_REFRESH_S": "2"}
    with lambda_runtime.running(python[0], tree, runtime, tmp_path / "function.log", **env) as function:

        def ask(key: str) -> dict[str, Any]:
            return function.invoke(event("POST", "/v1/trip-duration/predict", ROW, **{"x-api-key": key}))

        before = ask(revoked)
        assert json.loads(before["body"])["version"] == "v1"
        with function.frozen():
            point(tmp_path / "artifacts", champion="v2")
            keys.revoke(settings, "revoked", datetime.now(UTC))
            time.sleep(3)
        assert ask(revoked)["statusCode"] == 401
        after = ask(kept)
        assert json.loads(after["body"])["version"] == "v2"
        assert before["headers"]["x-request-id"] != after["headers"]["x-request-id"]


def test_it_proves_a_bundle_before_it_replaces_the_one_in_force(
    python: tuple[str, str], tree: Path, runtime: Path, tmp_path: Path
) -> None:
    """In a process of its own, as Lambda has it: a hostile one is refused, and an unproved good one serves."""
    artifacts = tmp_path / "artifacts"
    small_bundle(artifacts)
    point(artifacts)
    env = {"CABSTAND_HOME": str(tmp_path), "CABSTAND_API_REFRESH_S": "1", "CABSTAND_API_KEYS_REQUIRED": "false"}
    with lambda_runtime.running(python[0], tree, runtime, tmp_path / "function.log", **env) as function:

        def version() -> str:
            answer = function.invoke(event("POST", "/v1/trip-duration/predict", ROW))
            return str(json.loads(answer["body"])["version"])

        def faults() -> dict[str, str]:
            found: dict[str, str] = json.loads(function.invoke(event("GET", "/readyz"))["body"])["faults"]
            return found

        def until(holds: Callable[[], bool]) -> None:
            for _ in range(100):
                if holds():
                    return
                time.sleep(0.2)
            raise TimeoutError(function.log.read_text()[-2_000:])

        assert version() == "v1"
        small_bundle(artifacts, version="v2", proved=False)
        hostile.KINDS["batch of one alone"](artifacts)
        point(artifacts, champion="v2", previous="v1")
        until(lambda: bool(faults()))
        assert version() == "v1"
        assert "v2" in function.log.read_text()
        small_bundle(artifacts, version="v3", proved=False)
        point(artifacts, champion="v3", previous="v1")
        until(lambda: version() == "v3")
        assert faults() == {}


def test_a_time_out_in_the_middle(
    python: tuple[str, str], tree: Path, runtime: Path, home: tuple[Path, str], tmp_path: Path
) -> None:
    """Lambda ends the process and starts another; the answers after it are whole, and so is every line of the log."""
    log = tmp_path / "function.log"
    sent = event("POST", "/v1/trip-duration/predict", ROW, **{"x-api-key": home[1]})
    env = {"CABSTAND_HOME": str(home[0]), "AWS_LAMBDA_FUNCTION_TIMEOUT": "2"}
    with lambda_runtime.running(python[0], tree, runtime, log, **env) as function:
        ids = [function.invoke(sent)["headers"]["x-request-id"]]
        first = function.pids()
        with function.frozen():
            assert b"timed out" in function.send(sent)
        ids += [function.invoke(sent)["headers"]["x-request-id"] for _ in range(5)]
        assert not first & function.pids()
    assert len(set(ids)) == 6
    lines = [json.loads(text) for text in log.read_text().splitlines() if text.startswith("{")]
    predicted = [one["request_id"] for one in lines if one.get("event") == "prediction"]
    assert set(ids) <= set(predicted)


def test_peak_memory(function: Function, home: tuple[Path, str]) -> None:
    rows = {"rows": [ROW] * 1000}
    for _ in range(5):
        function.invoke(event("POST", "/v1/trip-duration/predict/batch", rows, **{"x-api-key": home[1]}))
    peak = function.peak_mib()
    print(f"\npeak memory of the function: {peak:.0f} MiB")
    assert peak < 128

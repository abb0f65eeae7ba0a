"""Every JSON line of a job and of the service fits the schema, and every saved query asks for fields of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from os import environ
from pathlib import Path

import hcl2
import pytest

from cabstand.api import aws
from cabstand.io.prediction_lines import COLUMNS
from lambda_events import event
from log_schema import SCHEMA, checked, fields
from serving import PREDICT, ROW, get, make_home, serving

QUERIES = Path(__file__).parents[1] / "infra/modules/monitoring/log_queries.tf"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# The language of CloudWatch Logs Insights, as far as the queries use it.
WORDS = set(re.findall(r"\w+", "filter fields sort stats limit by asc desc and or like as"))
WORDS |= set(re.findall(r"\w+", "count pct max bin ispresent coalesce"))


def of_job(home: Path, *words: str) -> list[str]:
    given = {"CABSTAND_HOME": str(home), "CABSTAND_LOG_JSON": "true", "CABSTAND_LOG_LEVEL": "DEBUG"}
    done = subprocess.run(
        [sys.executable, "-m", "cabstand", *words], env=environ | given, capture_output=True, text=True, check=False
    )
    return done.stderr.splitlines()


def test_the_lines_of_a_job(tmp_path: Path) -> None:
    lines = checked(of_job(tmp_path, "synth", "--trips", "1000"))
    assert lines[-1]["event"] == "job_finished"
    assert len({line["trace_id"] for line in lines}) == 1
    assert lines[-1]["trace_id"]


def test_the_lines_of_a_job_that_fails(tmp_path: Path) -> None:
    *before, error, finished = of_job(tmp_path, "rollback", "--problem", "trip-duration")
    assert error.startswith("error: ")  # for people, and the one line that is not JSON
    [line] = checked([*before, finished])[-1:]
    assert (line["status"], line["reason"]) == ("failed", error.removeprefix("error: "))


def test_the_lines_of_the_service(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    with serving(tmp_path, tmp_path / "log", CABSTAND_LOG_JSON="true") as server:
        assert get(f"{server.url}/v1/models", x_api_key=key, traceparent=PARENT)[0] == 200
        assert get(f"{server.url}/v1/models")[0] == 401
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=40)
    # Others are for people, and the last one is the command's result.
    lines = checked(line for line in server.log.read_text().splitlines() if line.startswith('{"schema_version"'))
    models = [line for line in lines if line.get("route") == "/v1/models"]
    assert [line["status"] for line in models] == [200, 401]
    assert models[0]["trace_id"] == PARENT[3:35]


def test_the_lines_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the gateway's request to the predicted row: one trace, which X-Ray's segment of the invocation begins."""
    key = make_home(tmp_path)
    monkeypatch.setenv("CABSTAND_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cabstand")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    handler = aws.lambda_handler()
    callers: list[dict[str, str]] = [{}, {"traceparent": PARENT}]
    for more in callers:
        asked = event("POST", PREDICT, ROW, **{"x-api-key": key, **more})
        assert handler(asked, None)["statusCode"] == 200
    out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    predictions = [line for line in out if line["event"] == "prediction"]
    requests = checked(json.dumps(line) for line in out if line["event"] != "prediction")
    for lines in (predictions, requests):
        assert [line["trace_id"] for line in lines] == ["5759e988bd862e3fe1be46a994272793", PARENT[3:35]]
    assert requests[0]["gateway_request_id"] == asked["requestContext"]["requestId"]


def test_a_field_that_the_schema_does_not_know_is_a_fault() -> None:
    line = {"schema_version": 1, "time": "2026-01-01T00:00:00.000Z", "level": "info", "trace_id": None, "span_id": None}
    line |= {"logger": "x", "message": "x", "run_id": None}
    checked([json.dumps(line)])
    with pytest.raises(AssertionError, match="own"):
        checked([json.dumps(line | {"own": 1})])


def queries() -> dict[str, str]:
    [found] = [one["log_queries"] for one in hcl2.loads(QUERIES.read_text())["locals"] if "log_queries" in one]
    return {name: str(one["query"]).strip('"') for name, one in found.items() if not name.startswith("__")}


@pytest.mark.parametrize("name", queries())
def test_a_saved_query_asks_for_fields_that_lines_have(name: str) -> None:
    query = queries()[name]
    events = {one["properties"]["event"].get("const") for one in SCHEMA["oneOf"]} | {"prediction"}
    assert set(re.findall(r"event = '(\w+)'", query)) <= events
    plain = re.sub(r"'[^']*'|/[^/]+/|\b\d+\w?\b", " ", query)
    aliases = set(re.findall(r"\bas (\w+)", plain))
    asked = {word for word in re.findall(r"@?[A-Za-z_]\w*", plain) if not word.startswith("@")}
    assert asked - WORDS - aliases <= fields() | {"event", *COLUMNS}

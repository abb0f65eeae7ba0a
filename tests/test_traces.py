"""One trace through everything: from an event to the pointer, from a caller to the prediction's line."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from bundles import point, small_bundle
from cabstand import trace
from cabstand.io import impatient, pointer, runs, tracing, tracking
from cabstand.report import run_pages, timeline
from cabstand.settings import Settings
from log_schema import checked
from otlp import received, trace_ids

ECS_KILLS_AFTER_S = 120  # stopTimeout of the tasks


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    yield
    tracing.stop()


def a_home(home: Path) -> Settings:
    """Return the settings of a home whose model of trips can be rolled back."""
    for version in ("v1", "v2"):
        small_bundle(home / "artifacts", version=version)
    point(home / "artifacts", champion="v2", previous="v1")
    return Settings(home=home)


@pytest.mark.slow
def test_one_trace_from_the_event_to_the_pointer(tmp_path: Path, httpserver: HTTPServer) -> None:
    """The workflow and its step are processes of their own; the step moves the pointer."""
    sent, settings = received(httpserver), a_home(tmp_path / "home")
    step = {"name": "back", "job": "rollback", "with": {"problem": "trip-duration", "no-track": True}, "timeout_min": 2}
    own = {"description": "x", "schedule": "rate(1 day)", "task": "job", "steps": [step]}
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"workflows": {"own": own}}))
    given = {
        "CABSTAND_HOME": str(settings.home),
        "CABSTAND_LOG_JSON": "true",
        "CABSTAND_EVENT_ID": "d32c5kddcf5bb8c3",
        "OTEL_EXPORTER_OTLP_ENDPOINT": httpserver.url_for("/"),
    }
    command = [sys.executable, "-m", "cabstand", "workflow", "run", "own", "--file", str(file)]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])

    trace_id = trace.of_event("d32c5kddcf5bb8c3")
    assert trace_ids(sent) == {trace_id} == {result["trace_id"]}
    spans = {span.name: span for span in sent}
    parents = {span.name: next((one.name for one in sent if one.span_id == span.parent_span_id), "") for span in sent}
    assert parents == {
        "cabstand workflow": "",
        "workflow own": "cabstand workflow",
        "mlflow own": "workflow own",
        "back": "mlflow own",
        "cabstand rollback": "back",
    }
    assert next(one.value.string_value for one in spans["cabstand workflow"].attributes) == "d32c5kddcf5bb8c3"
    tags = tracking.client(settings).get_run(result["run_id"]).data.tags
    assert (tags["trace_id"], tags["span_id"]) == (trace_id, spans["mlflow own"].span_id.hex())
    written, _ = pointer.read(settings.artifacts_uri, "trip-duration")
    assert written is not None
    assert written.trace_id == trace_id
    decisions = (settings.home / "artifacts/trip-duration/decisions").glob("*.json")
    found = [json.loads(record.read_text()) for record in decisions]
    assert [one["decision"] for one in found if one["trace_id"] == trace_id] == ["rolled back"]

    lines = checked(line for line in done.stderr.splitlines() if not line.startswith("error: "))
    assert {line["trace_id"] for line in lines} == {trace_id}
    assert {line["span_id"] for line in lines} <= {span.span_id.hex() for span in sent}
    assert result["run_id"] in {line["run_id"] for line in lines}

    [run] = runs.listed(settings.lake_uri)
    assert [(row.name, row.depth) for row in timeline.rows(run.manifest["steps"])] == [
        ("back", 0),
        ("cabstand rollback", 1),
    ]
    assert 'id="timeline"' in run_pages.run(run.manifest)


@pytest.mark.parametrize("collector", ["mute", "away"])
def test_sigterm_ends_a_job_whose_collector_does_not_answer(tmp_path: Path, collector: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if collector == "mute" else 9
        given = {"CABSTAND_HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        command = [sys.executable, "-m", "cabstand", "synth", "--trips", "40000000"]
        with subprocess.Popen(
            command, env=os.environ | given | {"CABSTAND_LOG_JSON": "true"}, stderr=subprocess.PIPE, text=True
        ) as job:
            assert job.stderr is not None
            job.stderr.readline()  # a sign of life
            told = time.monotonic()
            job.send_signal(signal.SIGTERM)
            job.stderr.read()
    assert job.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - told < ECS_KILLS_AFTER_S / 2  # on a busy machine; the flush itself has 3 s
    assert impatient.CLOSE_S <= ECS_KILLS_AFTER_S / 10


def work(name: str) -> None:
    with trace.span(name):
        pass


def test_forked_workers_send_their_spans_themselves(httpserver: HTTPServer, tmp_path: Path) -> None:
    sent = received(httpserver)
    spans = tmp_path / "spans.jsonl"
    forking = multiprocessing.get_context("fork")
    with trace.span("parent") as parent:
        tracing.start(Settings(otlp_endpoint=httpserver.url_for("/"), trace_file=str(spans)))
        with trace.span("before"):
            workers = [forking.Process(target=work, args=(f"worker {n}",)) for n in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    tracing.stop()
    names = ["before", "parent", *(f"worker {n}" for n in range(3))]
    assert sorted(span.name for span in sent) == names  # none is lost, and none is sent twice
    assert trace_ids(sent) == {parent.trace_id}
    with trace.recorded() as found:
        tracing.relay(spans)
    assert sorted(one.name for one in found) == names


def test_a_span_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    lines = [
        json.dumps(trace.to_dict(trace.Span("whole", "1" * 32))),
        '{"name": "odd", "trace_id": "1", "started_ns": "soon"}',
        '["no", "span"]',
        '{"name": "ha',
    ]
    path.write_bytes("\n".join(lines).encode() + b"\xff\n")
    with trace.recorded() as found:
        tracing.relay(path)
        tracing.relay(tmp_path / "none")
    assert [one.name for one in found] == ["whole"]


@given(st.from_regex(trace._TRACEPARENT, fullmatch=True) | st.text())
def test_only_a_valid_header_is_continued(header: str) -> None:
    parsed = trace.parse(header)
    if parsed:
        span = trace.Span("x", parsed[0], parsed[1], sampled=parsed[2])
        assert trace.parse(span.traceparent) == parsed
        assert span.traceparent[:53] == header[:53]
    else:
        assert not trace._TRACEPARENT.fullmatch(header) or "-" + "0" * 16 in header or "0" * 32 in header


def test_a_caller_that_does_not_sample_is_heard(httpserver: HTTPServer) -> None:
    sent = received(httpserver)
    with trace.span("command") as root:
        tracing.start(Settings(otlp_endpoint=httpserver.url_for("/"), traceparent=f"00-{'a' * 32}-{'b' * 16}-00"))
        with trace.span("inside"):
            assert trace.environment() == {"TRACEPARENT": trace.current().traceparent}  # type: ignore[union-attr]
    tracing.stop()
    assert root.trace_id == "a" * 32
    assert sent == []


def test_a_run_without_spans_has_a_timeline_of_its_steps() -> None:
    steps = {
        "first": {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:30+00:00"},
        "second": {"started": "2026-01-01T00:00:30+00:00", "ended": "2026-01-01T00:01:00+00:00", "error": "it rains"},
        "third": {"started": "2026-01-01T00:01:00+00:00"},
    }
    first, second = timeline.rows(steps)
    assert (first.start, first.width, first.seconds) == (0, 50, 30)
    assert (second.start, second.width, second.error) == (50, 50, "it rains")
    assert timeline.rows({}) == []


def test_the_bar_of_a_short_span_at_the_end_can_be_seen() -> None:
    steps = {
        "long": {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T10:00:00+00:00"},
        "short": {"started": "2026-01-01T09:59:59+00:00", "ended": "2026-01-01T10:00:00+00:00"},
    }
    short = timeline.rows(steps)[1]
    assert (short.width, short.start) == (timeline.LEAST, 100 - timeline.LEAST)

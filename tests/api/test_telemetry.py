"""The logs: complete when there is room, counted when there is none, and never in an answer's way."""

from __future__ import annotations

import errno
import io
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cabstand.api import call as calls
from cabstand.api import telemetry
from cabstand.api.call import Call
from cabstand.api.telemetry import Immediate, Threaded, iso
from cabstand.errors import StorageError
from cabstand.io.prediction_lines import PredictedRows, Record, line
from cabstand.io.predictions import PredictionFiles
from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, make_home, service_of


def finished(n_rows: int = 1) -> Call:
    call = calls.begin(None)
    call.problem, call.version, call.status, call.n_rows = "trip-duration", "v1", 200, n_rows
    return call


def prediction(n_rows: int = 1, call: Call | None = None) -> PredictedRows:
    call = call or finished(n_rows)
    common = (call.request_id, iso(time.time()), call.problem, call.version, "champion", call.key, 1.0, call.trace_id)
    return PredictedRows(*common, [(row, ROW) for row in range(n_rows)], [{"x": 1.0}] * n_rows)


class Held(PredictionFiles):
    """Files whose disk answers only when told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.full = True

    def append(self, records: Sequence[Record]) -> None:
        if self.full:
            raise StorageError("no space left on device")
        super().append(records)


def test_every_row_of_every_request_is_logged(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    client = client_of(Settings(home=tmp_path), key)
    one = client.post(PREDICT, json=ROW).json()
    many = client.post(f"{PREDICT}/batch", json={"rows": [ROW, {}, ROW]}).json()
    client.post(PREDICT, json={})
    service_of(client).telemetry.close()
    logged = {
        (record["request_id"], record["row"]): record for record in PredictionFiles(tmp_path / "predictions").read()
    }
    assert set(logged) == {(one["request_id"], 0), (many["request_id"], 0), (many["request_id"], 2)}
    first = logged[one["request_id"], 0]
    assert first["features"] == ROW
    assert first["answer"] == one["answer"]
    assert first["version"] == "v1"
    assert 0 < first["latency_ms"] < 60_000
    assert service_of(client).telemetry.dropped == 0


def test_a_full_disk_drops_counts_and_recovers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = Held(tmp_path)
    log = Threaded(files, None, 30)
    for _ in range(50):
        log.predicted(prediction())
    deadline = time.monotonic() + 10
    while log.dropped < 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.dropped == 50
    assert len([one for one in caplog.records if "no space left" in one.getMessage()]) == 1
    files.full = False
    log.predicted(prediction(3))
    log.close()
    assert len(list(files.read())) == 3


class HeldFiles(PredictionFiles):
    """Files that wait to be released before they write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.waiting, self.released = threading.Event(), threading.Event()

    def append(self, records: Sequence[Record]) -> None:
        self.waiting.set()
        assert self.released.wait(30)
        super().append(records)


def test_the_queue_is_bounded_and_the_rest_is_written(tmp_path: Path) -> None:
    files = HeldFiles(tmp_path)
    log = Threaded(files, None, 30)
    log.predicted(prediction())
    assert files.waiting.wait(30)
    for _ in range(telemetry.MAX_PENDING // 1000 + 5):
        log.predicted(prediction(1000))
    assert log.dropped == 5000
    files.released.set()
    log.close()
    assert len(list(files.read())) == telemetry.MAX_PENDING + 1


def test_a_queue_that_is_half_full_is_written_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "PAUSE_S", 60.0)
    files = HeldFiles(tmp_path)
    log = Threaded(files, None, 30)
    for _ in range(telemetry.MAX_PENDING // 2000 + 1):
        log.predicted(prediction(1000))
    assert files.waiting.wait(30)
    files.released.set()
    log.close()


def test_lambda_s_lines_are_whole_and_carry_the_metrics() -> None:
    out = io.StringIO()
    log = Immediate(out, gauges=lambda: {"BundleAgeS": 5.0})
    call = finished(2)
    rows = prediction(2, call)
    log.predicted(rows)
    log.answered(call, "POST", 0.002)
    assert out.getvalue().encode().startswith(b"".join(map(line, rows.records())))
    lines = [json.loads(text) for text in out.getvalue().splitlines()]
    assert [one["event"] for one in lines] == ["prediction", "prediction", "request"]
    assert (lines[2]["LatencyMs"], lines[2]["Errors5xx"], lines[2]["BundleAgeS"]) == (2.0, 0, 5.0)
    (directive,) = lines[2]["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service"]]
    assert all(isinstance(lines[2][one["Name"]], int | float) for one in directive["Metrics"])


def test_a_closed_stream_is_no_one_s_error() -> None:
    out = io.StringIO()
    log = Immediate(out)
    out.close()
    log.answered(finished(), "GET", 0.1)
    assert log.dropped == 1


class Full(io.StringIO):
    """A stream whose disk is full until it is emptied."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "no space left")
        return super().write(text)


def test_each_prediction_that_lambda_s_log_loses_is_counted_once_in_the_next_line() -> None:
    out = Full()
    log = Immediate(out)
    for n_rows in (3, 2):
        log.predicted(prediction(n_rows))
        log.answered(finished(n_rows), "POST", 0.1)
    out.full = False
    for _ in range(2):
        log.answered(finished(0), "GET", 0.1)
    assert [json.loads(text)["PredictionsDropped"] for text in out.getvalue().splitlines()] == [5, 0]
    assert log.dropped == 7  # with the two requests' own lines

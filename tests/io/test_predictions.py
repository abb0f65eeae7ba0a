"""The prediction log: written, read by time, deleted for good, bounded by age; old files stay readable."""

from __future__ import annotations

import gzip
import json
import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic_core import to_json

from cabstand.errors import DataError, StorageError
from cabstand.io import delivered
from cabstand.io.locked_files import locked, replace_lines
from cabstand.io.prediction_lines import SCHEMA_VERSION, PredictedRows, line
from cabstand.io.predictions import PredictionFiles

FORMATS = Path(__file__).parents[1] / "formats" / "predictions"


def record(request_id: str, at: str = "2023-03-01T08:15:00.000000+00:00", row: int = 0) -> dict[str, object]:
    return {
        "request_id": request_id, "row": row, "at": at, "problem": "trip-duration", "version": "v1", "role": "champion",
        "key": "0a1b2c3d", "latency_ms": 0.5, "trace_id": "t", "features": {"pickup_zone": 74}, "answer": {"low": 1.5},
    }  # fmt: skip


def test_round_trip_and_time_span(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path / "log")
    late = record("b", "2023-03-02T00:00:00.000000+00:00")
    files.append([record("a"), record("a", row=1), late])
    assert list(files.read("trip-duration")) == [record("a"), record("a", row=1), late]
    assert list(files.read(None, "2023-03-02", "2023-03-03")) == [late]
    assert list(files.read("other")) == []
    lines = (tmp_path / "log" / "2023-03-01.jsonl").read_bytes().splitlines()
    assert [json.loads(text)["event"] for text in lines] == ["prediction", "prediction"]


def test_the_lines_of_a_request_are_those_of_its_records() -> None:
    common = record("0a1b") | {"version": 'v"%d', "key": "\u00e9}"}
    rows = [(0, {"kind": "%b},{"}), (7, {"pickup_zone": 74, "pickup_at": "2023-03-01T08:15:00"})]
    answers = [{"low": float("nan")}, {"species": "\u00e9", "probabilities": {"a": 0.1}}]
    shared = {name: common[name] for name in PredictedRows._fields[:-2]}
    predicted = PredictedRows(rows=rows, answers=answers, **shared).records()
    assert predicted == [
        common | {"row": row, "features": features, "answer": answer}
        for (row, features), answer in zip(rows, answers, strict=True)
    ]
    event = {"event": "prediction", "schema_version": SCHEMA_VERSION}
    for one in predicted:
        assert line(one) == to_json({**event, **one}, inf_nan_mode="null") + b"\n"


@pytest.mark.parametrize("n_rows", [0, 1, 63, 64, 65, 200])
def test_any_number_of_rows_is_written(tmp_path: Path, n_rows: int) -> None:
    records = [record("a", row=row) for row in range(n_rows)]
    PredictionFiles(tmp_path).append(records)
    assert list(PredictionFiles(tmp_path).read()) == records


def test_a_database_that_is_kept_open_holds_no_statements(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path, keep_open=True)
    records = [record("a", row=row) for row in range(1_030)]
    files.append(records[:1])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n_rows in range(1_000, 1_030):
            files.append(records[:n_rows])
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        files.close()
    assert held < 50_000, "each statement has 24,000 characters"


def test_a_database_that_is_kept_open_follows_its_file(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path, keep_open=True)
    files.append([record("a")])
    assert PredictionFiles(tmp_path).delete("a") == 1
    assert list(PredictionFiles(tmp_path).read()) == []
    for path in tmp_path.glob("predictions.db*"):  # somebody tidies up under it
        path.unlink()
    files.append([record("b")])
    files.append([record("c")])
    assert [one["request_id"] for one in PredictionFiles(tmp_path).read()] == ["b", "c"]
    files.close()


def test_deleted_is_gone_from_both(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path)
    files.append([record("feedface01"), record("feedface01", row=1), record("other")])
    assert files.delete("feedface01") == 2
    assert [one["request_id"] for one in files.read()] == ["other"]
    for path in tmp_path.iterdir():
        assert b"feedface01" not in path.read_bytes() or path.name.endswith("-wal")
    assert files.delete("feedface01") == 0


def test_a_deletion_that_is_killed_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = PredictionFiles(tmp_path)
    files.append([record("feedface01"), record("other")])
    day = tmp_path / "2023-03-01.jsonl"
    before = day.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            files.delete("feedface01")
    assert day.read_bytes() == before
    assert files.delete("other") == 1  # what the killed one left aside goes with the next
    assert b'"other"' not in b"".join(path.read_bytes() for path in tmp_path.glob("*.jsonl*"))
    assert files.delete("feedface01") == 0
    assert day.read_bytes() == b""


def wait_for_a_waiter(path: Path) -> None:
    """Return once somebody waits for the lock on a file, which Linux lists with an arrow; or after ten seconds."""
    deadline, inode = time.monotonic() + 10, f":{path.stat().st_ino} "
    while time.monotonic() < deadline:
        if any("->" in lock and inode in lock for lock in Path("/proc/locks").read_text().splitlines()):
            return
        time.sleep(0.01)


def test_a_writer_that_waited_writes_to_the_file_that_is_there_now(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path)
    files.append([record("deleted"), record("kept")])
    day = tmp_path / "2023-03-01.jsonl"
    with ThreadPoolExecutor(1) as pool:
        with locked(day, "rb") as file:
            waiting = pool.submit(files.append, [record("late")])
            wait_for_a_waiter(day)
            there = file.read().splitlines(keepends=True)
            replace_lines(day, [kept for kept in there if b"deleted" not in kept])
        waiting.result()
    assert [json.loads(text)["request_id"] for text in day.read_bytes().splitlines()] == ["kept", "late"]


def test_one_at_a_time_makes_the_database(tmp_path: Path) -> None:
    files, lock = PredictionFiles(tmp_path), tmp_path / ".predictions.lock"
    with ThreadPoolExecutor(1) as pool:
        with locked(lock, "ab"):  # as one who is making it: SQLite would refuse the second at once
            waiting = pool.submit(files.append, [record("a")])
            wait_for_a_waiter(lock)
            assert not files.database.exists()
        waiting.result()
    assert list(files.read()) == [record("a")]


def test_retention(tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path)
    files.append([record("old", "2023-01-01T00:00:00.000000+00:00"), record("new")])
    (tmp_path / "2023-01-01.jsonl.part").write_bytes(b"left by a deletion that was killed")
    files.retain(30, datetime(2023, 3, 15, tzinfo=UTC))
    assert [one["request_id"] for one in files.read()] == ["new"]
    assert [path.stem for path in tmp_path.glob("*.jsonl*")] == ["2023-03-01"]


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        PredictionFiles(tmp_path / "file" / "log").append([record("a")])


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "predictions.db") as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="newer"):
        PredictionFiles(tmp_path).append([record("a")])


def envelope(*messages: str) -> bytes:
    """What CloudWatch hands to Firehose: one gzip member with a JSON document."""
    events = [{"id": str(i), "timestamp": 0, "message": text} for i, text in enumerate(messages)]
    return gzip.compress(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode())


def test_delivered_envelopes_in_a_row() -> None:
    data = envelope(line(record("a")).decode(), "not JSON", '{"event":"request"}') + envelope(
        line(record("b")).decode()
    )
    assert list(delivered.read(data, "x")) == [record("a"), record("b")]
    rest, n_rows = delivered.without(data, "a", "x")
    assert n_rows == 1
    assert list(delivered.read(rest, "x")) == [record("b")]
    plain = line(record("a")) + line(record("b"))
    assert list(delivered.read(plain, "x")) == [record("a"), record("b")]


@pytest.mark.parametrize("data", [b"\x1f\x8bxxxx", b"{", b"\xff", line(record("a")).replace(b'n":1', b'n":2', 1)])
def test_delivered_and_not_readable(data: bytes) -> None:
    with pytest.raises(DataError):
        list(delivered.read(data, "x"))


def test_the_first_format_is_read_for_ever(tmp_path: Path) -> None:
    assert list(delivered.read((FORMATS / "v1.jsonl").read_bytes(), "v1")) == [record("a")]
    (tmp_path / "predictions.db").write_bytes((FORMATS / "v1.db").read_bytes())
    assert list(PredictionFiles(tmp_path).read()) == [record("a")]

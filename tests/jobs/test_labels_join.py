"""Labels: predictions get the truth of the trip that is theirs beyond doubt, or by the id that the caller kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trip_files
from cabstand import cli
from cabstand.errors import ConfigError, DataError, NothingToDo
from cabstand.io import labels, storage
from cabstand.io.prediction_lines import Record, line
from cabstand.io.predictions import PredictionFiles
from cabstand.jobs import ingest, labels_join
from cabstand.jobs.labelling.matching import ABSENT, AMBIGUOUS, match
from cabstand.modelling.fields import Columns
from cabstand.modelling.problems.trip_duration import FIELDS
from cabstand.settings import Settings, load

PROBLEM = "trip-duration"
PARAMS = labels_join.Params(dataset="yellow")
START = datetime(2024, 1, 10, 12)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def record(request_id: str, pickup_at: str, zones: tuple[int, int] = (74, 42), row: int = 0, day: int = 10) -> Record:
    features = {"pickup_zone": zones[0], "dropoff_zone": zones[1], "pickup_at": pickup_at}
    return {
        "request_id": request_id, "row": row, "at": f"2024-01-{day}T17:00:00.000000+00:00", "problem": PROBLEM,
        "version": "v1", "role": "champion", "key": "k", "latency_ms": 0.5, "trace_id": "t", "features": features,
        "answer": {"low": 5.0, "duration_min": 9.0, "high": 15.0},
    }  # fmt: skip


def month(settings: Settings, folder: Path, trips: Sequence[tuple[int, int, datetime, float]]) -> None:
    """Ingest trips: zones, pick-up, minutes."""
    table = trip_files.zone_rows(len(trips))
    table |= {
        "PULocationID": pa.array([one[0] for one in trips]),
        "DOLocationID": pa.array([one[1] for one in trips]),
        "tpep_pickup_datetime": pa.array([one[2] for one in trips]),
        "tpep_dropoff_datetime": pa.array([one[2] + timedelta(minutes=one[3]) for one in trips]),
    }
    name = f"{trips[0][2]:%Y-%m}"
    source = trip_files.write_parquet(folder / f"{name}.parquet", table)
    ingest.run(settings, ingest.Params("yellow", name, source=str(source), refresh=True))


def log(settings: Settings, *records: Record) -> None:
    PredictionFiles(settings.home / "predictions").append(records)


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    settings = load()
    trips = [
        (74, 42, START, 10.0),
        (74, 42, START + timedelta(seconds=50), 20.0),
        (74, 43, START, 30.0),
        (10, 11, START, 12.0),
        (10, 12, START, 90.0),  # longer than what the problem learns from
    ]
    month(settings, tmp_path, trips)
    return settings


def truths(settings: Settings) -> dict[str, float]:
    return {f"{key[0]}/{key[1]}": one["truth"] for key, one in labels.read(settings.lake_uri, PROBLEM).items()}


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in ("n_matched", "n_ambiguous", "n_unmatched", "n_waiting"))


def test_the_trip_of_the_same_zones_and_time_is_the_truth(place: Settings) -> None:
    log(
        place,
        record("a", at(0)),
        record("a", at(0), (74, 43), row=1),
        record("b", at(0)),  # the same question again: the same trip
        record("c", at(1)),  # no trip at this second
        record("d", at(0), (10, 12)),
        record("e", "2024-02-01T00:00:00"),
    )
    found = labels_join.run(place, PARAMS)
    assert truths(place) == {"a/0": 10.0, "a/1": 30.0, "b/0": 10.0}
    assert (found["n_predictions"], counts(found)) == (6, (3, 0, 2, 1))
    one = labels.read(place.lake_uri, PROBLEM)["a", 0]
    assert (one["predicted"], one["low"], one["high"], one["matched_by"]) == (9.0, 5.0, 15.0, "yellow 2024-01")


def test_with_a_tolerance_what_is_in_doubt_is_left_out(place: Settings) -> None:
    log(
        place,
        record("two trips", at(20)),
        record("one of two", at(1), (74, 43)),
        record("other of two", at(2), (74, 43)),  # both may be the one trip
        record("clear", at(-3), (10, 11)),
    )
    found = labels_join.run(place, labels_join.Params(dataset="yellow", tolerance_s=30))
    assert truths(place) == {"clear/0": 12.0}
    assert counts(found) == (1, 3, 0, 0)


def test_joining_again_changes_nothing_and_adds_what_came_since(place: Settings, tmp_path: Path) -> None:
    log(place, record("a", at(0)), record("e", "2024-02-01T00:00:00"))
    first = labels_join.run(place, PARAMS)
    files = {uri: storage.read(uri) for uri in storage.list_under(first["labels_uri"])}
    assert labels_join.run(place, PARAMS) == first
    assert {uri: storage.read(uri) for uri in storage.list_under(first["labels_uri"])} == files
    month(place, tmp_path, [(74, 42, datetime(2024, 2, 1), 7.0)])
    assert counts(labels_join.run(place, PARAMS)) == (2, 0, 0, 0)
    assert truths(place) == {"a/0": 10.0, "e/0": 7.0}


def test_the_truth_may_be_given_by_request_id(place: Settings, tmp_path: Path) -> None:
    log(place, record("0a1b", at(0)), record("0a1b", at(0), row=1), record("77", at(0)))
    csv = tmp_path / "truth.csv"
    csv.write_text("request_id,row,duration_min\n0a1b,1,8.5\n77,0,4\nunknown,0,1\n")
    found = labels_join.run(place, labels_join.Params(truth=str(csv)))
    assert counts(found) == (2, 0, 1, 0)
    assert truths(place) == {"0a1b/1": 8.5, "77/0": 4.0}
    parquet = tmp_path / "truth.parquet"
    pq.write_table(pa.table({"request_id": ["0a1b"], "truth": [3.0]}), parquet)
    labels_join.run(place, labels_join.Params(truth=str(parquet)))
    assert truths(place) == {"0a1b/0": 3.0, "0a1b/1": 8.5, "77/0": 4.0}  # others stay


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("request_id,row\na,1\n", "no column truth or duration_min"),
        ("row,truth\n1,1\n", "no column request_id"),
        ("request_id,truth\na,\n", "row 0 has no finite truth"),
        ("request_id,truth\na,x\n", "not numbers"),
        ("request_id,truth\na,1\na,2\n", "names a row of a request twice"),
        ("", "neither CSV nor Parquet"),
    ],
)
def test_a_wrong_file_of_truth_is_one_line(text: str, told: str, place: Settings, tmp_path: Path) -> None:
    log(place, record("a", at(0)))
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        labels_join.run(place, labels_join.Params(truth=str(tmp_path / "truth.csv")))


def test_wrong_options_are_told(place: Settings) -> None:
    with pytest.raises(NothingToDo):
        labels_join.run(place, PARAMS)
    log(place, record("a", at(0)))
    for params in (
        labels_join.Params(tolerance_s=3601),
        labels_join.Params(truth="x", dataset="yellow"),
        labels_join.Params(problem="iris"),
        labels_join.Params(),  # no champion says which trips
    ):
        with pytest.raises(ConfigError):
            labels_join.run(place, params)


def test_the_log_of_the_lake_is_joined_by_day(place: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    twice = [record("a", at(0), day=10)] * 2
    for day, records in {"10": twice, "11": [record("b", at(0), day=11)]}.items():
        uri = storage.join(place.lake_uri, "predictions", f"date=2024-01-{day}", "1.jsonl")
        storage.write(uri, b"".join(map(line, records)))
    assert cli.run(["labels", "join", "--source", "lake", "--dataset", "yellow", "--until", "2024-01-11"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n_predictions"] == 1
    assert cli.run(["labels", "join", "--source", "lake", "--dataset", "yellow"]) == 0
    names = [uri.rpartition("/")[2] for uri in storage.list_under(labels.folder(place.lake_uri, PROBLEM))]
    assert names == ["2024-01-10.parquet", "2024-01-11.parquet"]
    assert labels.read(place.lake_uri, PROBLEM, "2024-01-11", "2024-01-12").keys() == {("b", 0)}


def test_who_deletes_a_request_deletes_its_labels(place: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    log(place, record("a", at(0)), record("b", at(0)))
    labels_join.run(place, PARAMS)
    assert cli.run(["predictions", "delete", "--request-id", "a"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["n_deleted"], told["n_labels_deleted"]) == (1, 1)
    assert truths(place) == {"b/0": 10.0}


def test_a_damaged_file_of_labels_is_one_line(place: Settings) -> None:
    storage.write(storage.join(labels.folder(place.lake_uri, PROBLEM), "2024-01-10.parquet"), b"x")
    with pytest.raises(DataError, match="not a file of labels"):
        labels.read(place.lake_uri, PROBLEM)


Row = tuple[int, int, int]
rows_of = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(0, 8)), min_size=1, max_size=10)


def columns(rows: Sequence[Row]) -> Columns:
    pickup, dropoff, seconds = np.array(rows).T
    moments = np.datetime64(START, "s") + seconds.astype("m8[s]")
    return {"pickup_zone": pickup, "dropoff_zone": dropoff, "pickup_at": moments}


def slowly(asked: Sequence[Row], trips: Sequence[Row], tolerance_s: int) -> list[int]:
    """Match each prediction with each trip."""
    fit = [
        [i for i, trip in enumerate(trips) if trip[:2] == one[:2] and abs(trip[2] - one[2]) <= tolerance_s]
        for one in asked
    ]
    found = []
    for one in fit:
        questions = {asked[j] for j, other in enumerate(fit) if len(other) == 1 and other == one}
        found.append(ABSENT if not one else one[0] if len(one) == 1 and len(questions) == 1 else AMBIGUOUS)
    return found


@given(rows_of, rows_of, st.integers(0, 4))
def test_matching_agrees_with_each_against_each(asked: list[Row], trips: list[Row], tolerance_s: int) -> None:
    found = match(FIELDS, columns(asked), columns(trips), tolerance_s)
    assert found.tolist() == slowly(asked, trips, tolerance_s)

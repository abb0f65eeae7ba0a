"""`cabstand monitor`: months, files and logged predictions against a version's reference, and tables without one."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand import cli
from cabstand.errors import ConfigError, DataError
from cabstand.io import ledger
from cabstand.io.prediction_lines import Record, line
from cabstand.io.predictions import PredictionFiles
from cabstand.jobs import models_predict, monitor, promote, synth, train
from cabstand.jobs.monitor import Params
from cabstand.jobs.monitoring import current
from cabstand.settings import Settings, load
from cabstand.trips.eras import ZONES
from cabstand.trips.synthetic.generator import Plan

N = 6_000
PROBLEM = "trip-duration"
SEEN = Params(track=False)
pytestmark = pytest.mark.slow


def month(settings: Settings, name: str, dataset: str = "synth", **plan: Any) -> str:
    made = synth.run(settings, synth.Params(Plan(N, era=ZONES, month=name, **plan), dataset))
    return str(made["trips_uri"])


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A synthetic lake with a champion of one month, the next month, and two later ones of slower rides."""
    settings = load(home=tmp_path_factory.mktemp("home") / "synthetic")
    learned, held_out = month(settings, "2024-01"), month(settings, "2024-02", seed=1)
    trained = train.run(settings, train.Params(PROBLEM, (learned,), (held_out,), track=False))
    promote.run(settings, promote.Params(PROBLEM, trained["model_version"]))
    month(settings, "2024-03", seed=2)
    month(settings, "2024-05", "synth-slow", seed=4, slowdown=1.25)
    month(settings, "2024-06", "synth-slow", seed=3, slowdown=1.25)
    return settings


def drifted(result: dict[str, Any]) -> dict[str, str]:
    return {one["column"]: one["note"] for one in result["columns"] if one["drifted"]}


def test_a_month_like_those_before_asks_for_nothing(champion: Settings) -> None:
    result = monitor.run(champion, replace(SEEN, current="synth:2024-03"))
    assert (result["decision"], result["drifted_share"], drifted(result)) == ("none", 0.0, {})
    assert result["volume_ratio"] == pytest.approx(1, abs=0.1)
    assert result["quality"]["n"] == result["n_current"] > 5_000
    assert result["decision_key"].endswith("-synth-truth")
    assert result["start"] == "2024-03-01T05:00:00+00:00"
    assert Path(result["report_uri"]).read_text().startswith("<!doctype html>")
    again = monitor.run(champion, replace(SEEN, current="synth:2024-03"))
    assert again["decision_key"] == result["decision_key"]
    assert len([one for one in ledger.read(champion.lake_uri, PROBLEM) if one.key == result["decision_key"]]) == 1


def test_slower_rides_are_drift_of_the_target_and_ask_for_retraining(champion: Settings) -> None:
    first, second = (
        monitor.run(champion, replace(SEEN, current=f"synth-slow:{name}")) for name in ("2024-05", "2024-06")
    )
    assert "target" in drifted(first).keys() & drifted(second).keys()
    assert drifted(first).keys().isdisjoint({"pickup_zone", "pickup_at.hour"})
    assert [first["decision"], second["decision"]] == ["retrain", "watch"]  # the cool-down is not over
    assert first["next_step"].startswith("cabstand retrain ")
    assert first["next_step"].endswith(first["decision_key"])


def test_without_a_window_the_newest_month_of_the_champion_s_data_is_looked_at(champion: Settings) -> None:
    result = monitor.run(champion, SEEN)
    assert result["decision_key"] == monitor.run(champion, replace(SEEN, current="newest:synth"))["decision_key"]
    assert result["decision_key"].endswith("-synth-truth")


def test_two_tables_compare_without_a_model(champion: Settings) -> None:
    params = replace(SEEN, problem="none", reference="synth:2024-03", current="synth-slow:2024-05")
    result = monitor.run(champion, params)
    assert (result["problem"], result["quality"]) == ("tables", None)
    assert {"duration_min", "speed_kmh"} <= set(drifted(result))


def test_two_tables_with_coordinates_tell_how_far_hotspots_moved(champion: Settings) -> None:
    for name, dataset, shift_m in (("2023-07", "synth-was", 0.0), ("2023-08", "synth-is", 500.0)):
        synth.run(champion, synth.Params(Plan(N, month=name, hotspot_shift_m=shift_m), dataset))
    result = monitor.run(champion, replace(SEEN, reference="synth-was:2023-07", current="synth-is:2023-08"))
    facts = result["facts"]
    assert "pickup_cell" in drifted(result)
    assert facts["hotspot_ami"] < 0.3
    assert facts["hotspot_moved_m"] == pytest.approx(500, rel=0.3)
    same = monitor.run(champion, replace(SEEN, reference="synth-was:2023-07", current="synth-was:2023-07"))
    assert (same["facts"]["hotspot_ami"], same["facts"]["hotspots_new"]) == (pytest.approx(1), 0)


def predictions(settings: Settings, n: int, zone: int) -> list[Record]:
    rows = [
        {"pickup_zone": zone, "dropoff_zone": 1 + k % 200, "pickup_at": f"2024-03-{1 + k % 20:02d}T{k % 24:02d}:15:00"}
        for k in range(n)
    ]
    told = models_predict.run(settings, models_predict.Params(PROBLEM, rows))
    start = datetime(2024, 3, 4, tzinfo=UTC)
    return [
        {
            "request_id": f"{zone:04x}{k:06x}", "row": 0, "problem": PROBLEM, "version": told["version"],
            "at": (start + timedelta(minutes=k % 1_400)).isoformat(timespec="microseconds"),
            "role": "champion", "key": "k", "latency_ms": 1.0, "trace_id": "t", "features": row,
            "answer": {"duration_min": one["point"], "low": one["low"], "high": one["high"]},
        }
        for k, (row, one) in enumerate(zip(rows, told["answers"], strict=True))
    ]  # fmt: skip


def test_logged_predictions_of_both_logs_count_once(champion: Settings) -> None:
    local, delivered = predictions(champion, 300, 1), predictions(champion, 200, 2)
    other = {**local[0], "request_id": "ff", "version": "m-000000000000"}
    PredictionFiles(champion.home / "predictions").append([*local, other])
    folder = Path(champion.lake_uri) / "predictions" / "date=2024-03-04"
    folder.mkdir(parents=True)
    messages = [{"message": line(one).decode()} for one in [*delivered, *delivered[:50], local[0]]]
    (folder / "part.gz").write_bytes(gzip.compress(json.dumps({"logEvents": messages}).encode()))
    result = monitor.run(champion, replace(SEEN, predictions="2024-03-04..2024-03-04"))
    assert (result["n_current"], result["quality"], result["volume_ratio"]) == (500, None, None)
    assert result["estimated_mae"]["value"] > 0
    assert {"pickup_zone", "prediction"} <= {one["column"] for one in result["columns"]}
    assert "target" not in {one["column"] for one in result["columns"]}
    assert (result["start"], result["end"]) == ("2024-03-04T00:00:00+00:00", "2024-03-05T00:00:00+00:00")
    assert result["decision"] == "none"
    assert "fewer than the 5,000" in result["reason"]
    lake = monitor.run(champion, replace(SEEN, predictions="2024-03-04", source="lake"))
    assert lake["n_current"] == 201
    with pytest.raises(DataError, match="no rows to monitor"):
        monitor.run(champion, replace(SEEN, predictions="2024-03-09"))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (replace(SEEN, current="synth:2024-03", predictions="2024-03-04"), "only one of both"),
        (replace(SEEN, predictions="2024-03-04", reference="synth:2024-03"), "the version that made them"),
        (replace(SEEN, predictions="tomorrow"), "not days: tomorrow"),
        (replace(SEEN, predictions="2024-03-04..2024-03-03"), "before the first"),
        (replace(SEEN, current="synth:2024-12"), "not in the lake"),
        (replace(SEEN, current="/no/such/file.parquet"), "no such file"),
    ],
)
def test_bad_input_is_said_in_a_line(champion: Settings, params: Params, told: str) -> None:
    with pytest.raises((ConfigError, DataError), match=told):
        monitor.run(champion, params)


def test_the_command_takes_files_and_flips_its_verdict_exactly_at_the_share(
    champion: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CABSTAND_HOME", str(champion.home))
    slow = str(Path(champion.lake_uri) / "trips" / "synth-slow" / "2024-05.parquet")
    assert pq.read_metadata(slow).num_rows == N
    for share, verdict in ((2 / 6, True), (math.nextafter(2 / 6, 1), False)):
        monkeypatch.setenv("CABSTAND_MONITOR_SHARE", repr(share))
        assert cli.run(["monitor", "--current", slow, "--no-track"]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (len(result["columns"]), len(drifted(result))) == (6, 2)
        assert (result["drifted"], result["threshold"]) == (verdict, share)


def test_a_month_ends_where_it_ends_in_new_york(champion: Settings) -> None:
    found = current.parse(champion, "synth:2024-03", "")
    assert (found.start, found.end) == (datetime(2024, 3, 1, 5, tzinfo=UTC), datetime(2024, 4, 1, 4, tzinfo=UTC))

"""Small inputs after public reports, each with its right reading, through the commands that users type."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand import cli

Command = Callable[..., dict[str, Any]]


@pytest.fixture
def cases(shared: Path) -> Path:
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip("no ../shared/cases")
    return folder


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> dict[str, Any]:
        code = cli.run([*words, "--lake", str(tmp_path / "lake")])
        told = capsys.readouterr()
        if code:
            (line,) = [line for line in told.err.splitlines() if line.startswith("error: ")]
            return {"code": code, "error": line}
        return json.loads(told.out.splitlines()[-1])  # type: ignore[no-any-return]

    return run


def cluster(command: Command, path: Path, *words: str) -> dict[str, Any]:
    return command(
        "cluster", "--no-track", "--input", str(path), "--min-samples", "5", "--engine", "sequential", *words
    )


@pytest.mark.parametrize("name", ["evening_ny_tz", "evening_utc", "evening_naive"])
def test_an_evening_is_an_evening_whatever_the_zone_of_its_times(cases: Path, command: Command, name: str) -> None:
    result = cluster(command, cases / f"{name}.parquet")
    (spot,) = pq.read_table(result["hotspots_uri"]).to_pylist()
    assert spot["hours"][22] == pytest.approx(1)
    assert spot["weekdays"][1] == pytest.approx(1)  # Tuesday
    expected = {"pickup_datetime": "UTC to America/New_York"} if name == "evening_utc" else {}
    assert result["times_converted"] == expected
    assert json.loads(Path(result["manifest_uri"]).read_text())["source"]["times_converted"] == expected


def test_a_month_in_utc_is_stored_in_local_time(cases: Path, command: Command) -> None:
    result = command("ingest", "--dataset", "green", "--month", "2024-01", "--source", str(cases / "green_utc.parquet"))
    trips = pq.read_table(result["trips_uri"])
    assert str(trips["pickup_at"][0].as_py()) == "2024-01-02 22:30:00"
    converted = dict.fromkeys(("lpep_pickup_datetime", "lpep_dropoff_datetime"), "UTC to America/New_York")
    assert result["times_converted"] == converted
    assert json.loads(Path(result["manifest_uri"]).read_text())["times_converted"] == converted


@pytest.mark.parametrize(
    "name",
    [
        *("semicolon.csv", "tab.tsv", "na_text.csv", "backslashN.csv", "names_start_lat_lng.csv", "names_long.csv"),
        *("names_chicago.csv", "us_ampm.csv", "gp_input.parquet", "points.geojson"),
    ],
)
def test_both_commands_read_the_same_points_of_every_form(cases: Path, command: Command, name: str) -> None:
    result = cluster(command, cases / name)
    n_null = 12 if name in {"na_text.csv", "backslashN.csv"} else 0
    assert result["n_points"] == 200 - n_null
    assert result["put_aside"] == ({"location_missing": 12} if n_null else {})
    assert result["n_clusters"] == 3
    spots = pq.read_table(result["hotspots_uri"])
    assert spots["hours"].null_count == 0
    stored = command("ingest", "--dataset", "uber", "--month", "2014-04", "--source", str(cases / name))
    assert (stored["rows_in"], stored["rows_out"]) == (200, 200 - n_null)
    again = cluster(command, Path(stored["trips_uri"]))
    assert (
        pq.read_table(again["hotspots_uri"])
        .drop(["name"] if "name" in spots.schema.names else [])
        .equals(spots.drop(["name"] if "name" in spots.schema.names else []))
    )


def test_dates_as_text_give_hours_in_both_commands(cases: Path, command: Command) -> None:
    path = cases / "yellow_2009_text_dates.parquet"
    result = cluster(command, path)
    assert pq.read_table(result["hotspots_uri"])["hours"].null_count == 0
    stored = command("ingest", "--dataset", "yellow", "--month", "2024-01", "--source", str(path))
    assert stored["rows_out"] == result["n_points"] == 300


def test_feet_are_named_with_what_to_do(cases: Path, command: Command) -> None:
    for result in (
        cluster(command, cases / "feet.parquet"),
        command("ingest", "--dataset", "uber", "--month", "2014-04", "--source", str(cases / "feet.parquet")),
    ):
        assert result["code"] == 2
        assert "look like feet of the New York state plane (EPSG:2263)" in result["error"]
        assert "convert them to degrees" in result["error"]
        assert "quarantines" not in result["error"]

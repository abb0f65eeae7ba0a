"""`--input newest`: the newest month that the lake has, and a quiet end where it has none yet."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

import trip_files
from cabstand import cli
from cabstand.errors import ConfigError, NothingToDo
from cabstand.io import lake, storage
from cabstand.jobs import ingest, synth
from cabstand.jobs.pipelining import newest_input
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan

TODAY = dt.date(2024, 6, 20)
JOBS = ("compare", "sweep", "cluster", "plan")


def bring(settings: Settings, folder: Path, dataset: str, month: str, n: int = 5) -> None:
    start = dt.datetime.fromisoformat(f"{month}-10T12:00:00")
    prefix = "lpep" if dataset == "green" else "tpep"
    rows = {name.replace("tpep", prefix): column for name, column in trip_files.zone_rows(n).items()}
    times = {
        f"{prefix}_{end}_datetime": pa.array([start + dt.timedelta(seconds=i + later) for i in range(n)])
        for end, later in (("pickup", 0), ("dropoff", 600))
    }
    source = trip_files.write_parquet(folder / f"{dataset}-{month}.parquet", rows | times)
    ingest.run(settings, ingest.Params(dataset, month, source=str(source)))


def make(settings: Settings, *months: str, trips: int = 300) -> None:
    for month in months:
        synth.run(settings, synth.Params(Plan(trips=trips, era="zones", month=month, seed=1)))


def test_the_newest_month_of_a_data_set_or_of_all(tmp_path: Path) -> None:
    settings = load()
    for dataset, month in (("green", "2024-03"), ("green", "2024-04"), ("yellow", "2024-05"), ("green", "2024-06")):
        bring(settings, tmp_path, dataset, month)
    uri = f"{settings.lake_uri}/trips/{{}}.parquet".format
    assert newest_input.resolve(settings, "newest:green", TODAY) == uri("green/2024-04")  # June is not over
    assert newest_input.resolve(settings, "newest", TODAY) == uri("yellow/2024-05")
    assert newest_input.resolve(settings, "newest", dt.date(2024, 7, 1)) == uri("green/2024-06")
    killed = lake.Month(settings.lake_uri, "yellow", "2024-05").manifest_uri
    storage.write(killed, json.dumps({"schema_version": 1, "state": "publishing"}).encode())
    assert newest_input.resolve(settings, "newest", TODAY) == uri("green/2024-04")
    with pytest.raises(ConfigError, match=r"no complete month of uber .the lake has green, yellow"):
        newest_input.resolve(settings, "newest:uber", TODAY)


@pytest.mark.parametrize("uri", ["trips.csv", "s3://bucket/newest", "./newest", "newest-of-all", "new"])
def test_other_inputs_are_left_alone(uri: str) -> None:
    assert newest_input.resolve(load(), uri, TODAY) == uri


@pytest.mark.parametrize("uri", ["newest", "newest:green"])
def test_an_empty_lake_has_nothing_to_do(uri: str) -> None:
    with pytest.raises(NothingToDo, match=r"has no trips yet .`cabstand ingest` or `cabstand pipeline` brings"):
        newest_input.resolve(load(), uri, TODAY)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_in_an_empty_lake_ends_well_with_one_line(
    job: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CABSTAND_LOG_JSON", "true")
    assert cli.run([job, "--input", "newest:green"]) == 0
    printed = capsys.readouterr()
    assert "has no trips yet" in json.loads(printed.out)["nothing_to_do"]
    told, finished = (json.loads(line) for line in printed.err.splitlines())
    assert told["level"] == "info"
    assert told["message"].startswith("nothing to do yet: ")
    assert finished["status"] == "succeeded"


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_a_pipeline_that_fetches_nothing_waits_for_the_first_month(
    dry_run: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["pipeline", "--dataset", "green", "--no-fetch", *dry_run]
    assert cli.run(command) == 0
    assert "has no trips yet" in json.loads(capsys.readouterr().out)["nothing_to_do"]
    bring(load(), tmp_path, "green", "2024-01")
    assert cli.run(command) == 2  # one month of three: somebody has begun
    assert "1 complete months of green, not 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["compare", "--input", "newest:gren"], "did you mean green?"),
        (["compare", "--input", "newset"], "newset: no such file"),
        (["sweep", "--input", "trips/green/*.parquet"], "no such file"),
        (["pipeline", "--dataset", "gren", "--no-fetch"], "did you mean green?"),
    ],
)
def test_a_slip_stays_an_error(command: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(command) == 2
    assert told in capsys.readouterr().err


def test_comparison_and_sweep_of_months_without_coordinates(capsys: pytest.CaptureFixture[str]) -> None:
    make(load(lake=""), "2024-01", "2024-02")
    few = ["--min-samples", "5", "--no-track"]
    small = {
        "compare": ["--engines", "sequential", "--repeats", "1", "--sizes", "200"],
        "sweep": ["--eps-m", "50", "--engine", "sequential"],
    }
    for job, options in small.items():
        assert cli.run([job, "--input", "newest", *few, *options]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["by_zone"]
        report = json.loads(storage.read(result["report_uri"]))
        assert report["source"]["uri"].endswith("trips/synth/2024-02.parquet")


def test_a_synthetic_lake_stays_apart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = load()
    make(load(home=settings.home / "synthetic"), "2030-01")
    assert cli.run(["plan", "--input", "newest"]) == 0
    assert "has no trips yet" in json.loads(capsys.readouterr().out)["nothing_to_do"]
    bring(settings, tmp_path, "green", "2024-01")
    assert newest_input.resolve(settings, "newest", TODAY).endswith("green/2024-01.parquet")
    with pytest.raises(ConfigError, match=r"holds real data .run it with CABSTAND_HOME="):
        newest_input.resolve(settings, "newest:synth", TODAY)

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pytest_httpserver import HTTPServer

from cabstand import cli
from cabstand import settings as settings_module
from cabstand.errors import ConfigError, DataError, StorageError
from cabstand.io import lake, storage
from cabstand.jobs import ingest
from cabstand.trips.schema import QUARANTINE, TRIPS
from trip_files import COORDINATE_ROW, coordinate_csv, write_parquet, zone_rows

GREEN = {
    "2021-01": 76_518, "2022-01": 62_495, "2022-02": 69_399, "2023-01": 68_211, "2023-02": 64_809, "2023-03": 72_044,
    "2024-01": 56_551,
}  # fmt: skip
REAL = [("green", month, f"green/green_tripdata_{month}.parquet", rows) for month, rows in GREEN.items()] + [
    ("yellow", "2023-01", "yellow/yellow_tripdata_2023-01.head100k.parquet", 100_000),
    ("green", "2013-08", "pickups/green_tripdata_2013-08.csv", 7_623),
    ("yellow", "2015-01", "pickups/yellow_tripdata_2015-01.sample.csv", 1_999),
    ("yellow", "2016-01", "pickups/yellow_tripdata_2016-01.sample.csv", 1_999),
    ("uber", "2014-04", "pickups/uber-raw-data-apr14.head65535.csv.gz", 65_535),
    ("uber", "2014-05", "pickups/uber-raw-data-may14.head65535.csv.gz", 65_535),
    ("uber", "2014-06", "pickups/uber-raw-data-jun14.head65535.csv.gz", 65_535),
]


def run(**params) -> dict:
    return ingest.run(settings_module.load(), ingest.Params(**params))


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("dataset", "month", "name", "rows"), REAL)
def test_real_months_of_every_era(shared: Path, dataset: str, month: str, name: str, rows: int):
    result = run(dataset=dataset, month=month, source=str(shared / "data" / name))
    trips, aside = pq.read_table(result["trips_uri"]), pq.read_table(result["quarantine_uri"])
    assert result["rows_in"] == rows == result["rows_out"] + result["rows_quarantined"]
    assert result["rows_quarantined"] == sum(result["quarantined_by_reason"].values())
    assert (trips.num_rows, aside.num_rows) == (result["rows_out"], result["rows_quarantined"])
    assert sorted([*trips["row"].to_pylist(), *aside["row"].to_pylist()]) == list(range(rows))
    assert trips.schema.equals(TRIPS)
    assert aside.schema.equals(QUARANTINE)
    assert result["columns_unknown"] == []
    assert result["rows_out"] > 0.8 * rows


def test_result_manifest_and_metadata_agree(tmp_path: Path):
    source = write_parquet(tmp_path / "y.parquet", zone_rows(3, trip_distance=[1.0, 0.0, 2.0]))
    result = run(dataset="yellow", month="2024-01", source=str(source))
    assert set(result) >= {
        "dataset", "month", "source", "sha256", "rows_in", "rows_out", "rows_quarantined", "quarantined_by_reason",
        "trips_uri", "manifest_uri",
    }  # fmt: skip
    manifest = json.loads(Path(result["manifest_uri"]).read_text())
    assert manifest["schema_version"] == 1
    assert manifest["quarantined_by_reason"] == {"distance_not_positive": 1} == result["quarantined_by_reason"]
    assert manifest["era"] == "zones"
    assert manifest["versions"]["pyarrow"]
    assert pq.read_schema(result["trips_uri"]).metadata[b"cabstand.run_key"].decode() == manifest["run_key"]
    assert pq.ParquetFile(result["trips_uri"]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_repeated_ingest_finds_its_work_done(tmp_path: Path):
    source = write_parquet(tmp_path / "y.parquet", zone_rows(3))
    params = {"dataset": "yellow", "month": "2024-01", "source": str(source)}
    first, second = run(**params), run(**params)
    assert (first.pop("repeated"), second.pop("repeated")) == (False, True)
    assert first == second
    write_parquet(source, zone_rows(4))
    assert run(**params)["rows_in"] == 4
    assert run(**params, refresh=True)["repeated"] is False


def test_dry_run_writes_nothing(tmp_path: Path):
    result = run(dataset="uber", month="2014-04", dry_run=True)
    assert result["source"].endswith("/uber-raw-data-apr14.csv")
    assert files_under(tmp_path) == []


def test_download_when_no_source_is_named(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch):
    data = write_parquet(tmp_path / "y.parquet", zone_rows(5)).read_bytes()
    httpserver.expect_request("/trips/yellow_tripdata_2024-01.parquet").respond_with_data(data)
    monkeypatch.setenv("CABSTAND_TLC_URL", httpserver.url_for("/trips"))
    result = run(dataset="yellow", month="2024-01")
    assert result["rows_in"] == 5
    assert result["source"] == httpserver.url_for("/trips/yellow_tripdata_2024-01.parquet")
    assert run(dataset="yellow", month="2024-01")["repeated"]
    assert len(httpserver.log) == 1


def test_from_s3_to_s3(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch):
    source = write_parquet(tmp_path / "y.parquet", zone_rows(5, trip_distance=[0.0, 1, 1, 1, 1]))
    storage.write(f"s3://{bucket}/raw/y.parquet", source.read_bytes())
    monkeypatch.setenv("CABSTAND_LAKE", f"s3://{bucket}/lake")
    result = run(dataset="yellow", month="2024-01", source=f"s3://{bucket}/raw/y.parquet")
    assert (result["rows_in"], result["rows_out"]) == (5, 4)
    assert storage.list_under(f"s3://{bucket}/lake") == sorted(
        f"s3://{bucket}/lake/{key}"
        for key in (
            "quarantine/yellow/2024-01.parquet",
            "trips/yellow/2024-01.manifest.json",
            "trips/yellow/2024-01.parquet",
        )
    )
    month = lake.Month(f"s3://{bucket}/lake", "yellow", "2024-01")
    assert lake.read_manifest(month)["rows_out"] == 4
    with pytest.raises(StorageError):
        run(dataset="yellow", month="2024-01", source=f"s3://{bucket}/raw/none.parquet")


@pytest.mark.parametrize(
    "month", ["2024-13", "2024-1", "../../etc", "2024-01/../x", "٢٠٢٤-01", "", "2024-01\n", "1066-10"]
)
def test_hostile_months(tmp_path: Path, month: str):
    with pytest.raises(ConfigError, match="not a month"):
        run(dataset="yellow", month=month, source="x")
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("dataset", ["yelow", "../yellow", "", "yellow/x"])
def test_hostile_data_sets(tmp_path: Path, dataset: str):
    with pytest.raises(ConfigError, match=r"did you mean|known"):
        run(dataset=dataset, month="2024-01", source="x")
    assert files_under(tmp_path) == []


@pytest.mark.parametrize(
    "source", ["nowhere.parquet", "/dev/zero", "/", "file:///nowhere", "gopher://x/y", "a\nb", "~"]
)
def test_sources_that_are_no_file(tmp_path: Path, source: str):
    with pytest.raises((DataError, ConfigError)):
        run(dataset="yellow", month="2024-01", source=source)
    assert files_under(tmp_path) == []


def test_source_with_a_hostile_name_stays_outside_the_lake(tmp_path: Path):
    folder = tmp_path / "..name with 'quotes' and \n newline"
    folder.mkdir()
    source = coordinate_csv(folder / "$(x);.csv", COORDINATE_ROW)
    run(dataset="yellow", month="2015-01", source=str(source))
    inside = files_under(tmp_path / "home")
    assert [name for name in inside if not re.fullmatch(r"lake/(trips|quarantine)/yellow/\.?2015-01\..*", name)] == []


def test_all_rows_refused_leaves_nothing(tmp_path: Path):
    source = write_parquet(tmp_path / "y.parquet", zone_rows(9))
    with pytest.raises(DataError, match=r"every one of 9 rows was refused \(stray_date 9\).*right month"):
        run(dataset="yellow", month="2023-01", source=str(source))
    assert files_under(tmp_path / "home") == []


def test_credentials_in_an_address_are_not_written_down(httpserver: HTTPServer, tmp_path: Path):
    data = write_parquet(tmp_path / "y.parquet", zone_rows(2)).read_bytes()
    httpserver.expect_request("/y.parquet").respond_with_data(data)
    url = httpserver.url_for("/y.parquet?sig=hush").replace("//", "//me:hush@")
    result = run(dataset="yellow", month="2024-01", source=url)
    assert "hush" not in json.dumps(result)
    for name in files_under(tmp_path / "home"):
        assert b"hush" not in (tmp_path / "home" / name).read_bytes()


def test_one_line_for_each_error(capsys: pytest.CaptureFixture[str], shared: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CABSTAND_DOWNLOAD_ATTEMPTS", "1")
    truncated = str(shared / "data/broken/yellow_tripdata_2024-01.truncated.parquet")
    for arguments, code in [
        (["--dataset", "yellow", "--month", "2024-01", "--source", truncated], 2),
        (["--dataset", "yelow", "--month", "2024-01"], 2),
        (["--dataset", "yellow", "--month", "2024-01", "--source", "https://127.0.0.1:1/x"], 1),
    ]:
        assert cli.run(["ingest", *arguments]) == code
        said = capsys.readouterr()
        assert said.out == ""
        assert [line.startswith("error: ") for line in said.err.splitlines() if not line.startswith("{")] == [True]


def test_the_command_ends_in_one_line_of_json(cabstand: Callable, tmp_path: Path):
    source = write_parquet(tmp_path / "y.parquet", zone_rows(2) | {"moon": zone_rows(2)["VendorID"]})
    done = cabstand(
        "ingest", "--dataset", "yellow", "--month", "2024-01", "--source", str(source), "--lake", "deep/lake"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["columns_unknown"] == ["moon"]
    assert "unknown columns left out: moon" in done.stderr
    assert (tmp_path / "deep/lake/trips/yellow/2024-01.parquet").is_file()


def test_a_frozen_old_manifest_is_read(tmp_path: Path):
    frozen = Path(__file__).parents[1] / "formats" / "month"
    month = lake.Month(str(frozen), "yellow", "2024-01")
    assert lake.read_manifest(month)["rows_in"] == 3
    assert pq.read_table(month.trips_uri).schema.equals(TRIPS)
    assert pq.read_table(month.quarantine_uri)["reason"].to_pylist() == ["distance_not_positive"]


def test_a_newer_manifest_is_refused(tmp_path: Path):
    month = lake.Month(str(tmp_path), "yellow", "2024-01")
    storage.write(month.manifest_uri, b'{"schema_version": 99}')
    with pytest.raises(DataError, match="version 1 was expected"):
        lake.read_manifest(month)
    storage.write(month.manifest_uri, b"{")
    with pytest.raises(DataError, match="not a manifest"):
        lake.read_manifest(month)

"""Data download alone: into the cache, where ingestion finds it, and besides wherever it is wanted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from cabstand import cli
from cabstand.errors import AbsentError, ConfigError
from cabstand.io import storage
from cabstand.jobs import download
from cabstand.settings import load

DATA = b"PAR1 some trips PAR1"


def test_months_are_fetched_once_and_copied_where_they_are_wanted(httpserver: HTTPServer, bucket: str) -> None:
    settings = load(tlc_url=httpserver.url_for("/"))
    for month in ("2024-01", "2024-02"):
        httpserver.expect_ordered_request(f"/green_tripdata_{month}.parquet").respond_with_data(DATA)
    params = download.Params("green", ("2024-01", "2024-02"), out=f"s3://{bucket}/raw")
    first = download.run(settings, params)
    assert [one["month"] for one in first["months"]] == ["2024-01", "2024-02"]
    assert {(one["sha256"], one["size_bytes"]) for one in first["months"]} == {(hashlib.sha256(DATA).hexdigest(), 20)}
    assert first["months"][0]["file_uri"] == f"s3://{bucket}/raw/green_tripdata_2024-01.parquet"
    assert storage.read(first["months"][1]["file_uri"]) == DATA
    [cached, _] = download.run(settings, download.Params("green", ("2024-01", "2024-02")))["months"]
    assert Path(cached["file_uri"]).read_bytes() == DATA
    assert not (settings.home / "lake").exists()
    httpserver.check_assertions()
    assert len(httpserver.log) == 2


def test_what_is_wrong_is_one_line(httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load(tlc_url=httpserver.url_for("/"))
    httpserver.expect_request("/green_tripdata_2030-01.parquet").respond_with_data(status=403)
    with pytest.raises(AbsentError, match="is that month published"):
        download.run(settings, download.Params("green", ("2030-01",)))
    with pytest.raises(ConfigError, match="unknown dataset 'synth'"):
        download.run(settings, download.Params("synth", ("2024-01",)))
    assert cli.run(["download", "--dataset", "green", "--month", "2024-1"]) == 2
    assert "not a month: '2024-1'" in capsys.readouterr().err
    assert cli.run(["download", "--dataset", "green", "--month", "2024-01", "--dry-run"]) == 0
    assert "green_tripdata_2024-01.parquet" in capsys.readouterr().out

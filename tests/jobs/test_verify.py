"""The evidence: passes on the published files, fails on others, and says what it did not check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.errors import ConfigError
from cabstand.io import storage
from cabstand.jobs import verify
from cabstand.modelling import reference
from cabstand.settings import load

MONTH = "green_tripdata_2022-01.parquet"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.keywords:
        monkeypatch.setattr(reference, "iris", lambda: dict(verify.IRIS))


def checks(result: dict[str, object], subject: str) -> dict[str, str]:
    told = json.loads(storage.read(str(result["evidence_uri"])))
    return {one["figure"]: one["status"] for one in told["checks"] if one["subject"] == subject}


def test_without_data_nothing_passes_that_was_not_checked() -> None:
    result = verify.run(load(), verify.Params())
    assert result["passed"] == len(verify.IRIS)
    assert result["failed"] == 0
    assert set(checks(result, verify.FULL_MONTH).values()) == {"not checked"}
    page = storage.read(result["page_uri"]).decode()
    assert "not checked" in page
    assert "http" not in page


def test_a_published_month_passes_and_a_changed_one_fails(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "green" / MONTH
    good, bad = tmp_path / "good", tmp_path / "bad" / "deep"
    good.mkdir()
    bad.mkdir(parents=True)
    shutil.copy(source, good / MONTH)
    table = pq.read_table(source)
    pq.write_table(table.slice(0, table.num_rows - 1), bad / MONTH)
    passed = verify.run(load(), verify.Params(str(good)))
    assert set(checks(passed, MONTH).values()) == {"pass"}
    assert set(checks(passed, "random forest on green trips").values()) == {"not checked"}
    failed = verify.run(load(), verify.Params(str(bad.parent)))
    assert failed["failed"] >= 1
    assert checks(failed, MONTH)["rows"] == "fail"
    assert any("rows" in line for line in failed["failures"])


def test_a_broken_file_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / MONTH).write_bytes(b"PAR1 and nothing more")
    result = verify.run(load(), verify.Params(str(tmp_path)))
    assert set(checks(result, MONTH).values()) == {"fail"}
    assert "not a readable Parquet file" in result["failures"][0]


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        verify.run(load(), verify.Params("nowhere"))


@pytest.mark.slow
def test_every_published_figure(shared: Path) -> None:
    result = verify.run(load(), verify.Params(str(shared / "data")))
    assert result["failed"] == 0, result["failures"]
    assert result["passed"] == 49
    told = json.loads(storage.read(str(result["evidence_uri"])))
    absent = {one["subject"] for one in told["checks"] if one["status"] == "not checked"}
    assert absent == {verify.FULL_MONTH}


def full_month(path: Path) -> None:
    """A file with the properties that were published of yellow 2023-03, and nothing else of it."""
    rows, kept, zones = 3_403_766, 3_316_216, 259
    rng = np.random.default_rng(0)
    pickup, dropoff = rng.integers(1, zones + 1, (2, rows), dtype=np.int32)
    seconds = rng.integers(300, 2_400, rows)
    seconds[kept:] = 10  # too short to be kept
    start = np.datetime64("2023-03-01", "us")

    def write() -> None:
        end = start + seconds.astype("m8[s]")
        columns = {
            "tpep_pickup_datetime": pa.array(np.full(rows, start)),
            "tpep_dropoff_datetime": pa.array(end),
            "PULocationID": pa.array(pickup),
            "DOLocationID": pa.array(dropoff),
        }
        pq.write_table(pa.table(columns), path)

    write()
    # A constant added to every kept ride moves the intercept by as much.
    seconds[:kept] += round((24.77 - reference.linear(path).intercept) * 60)
    write()


@pytest.mark.slow
def test_the_full_month_passes_when_it_is_there(tmp_path: Path) -> None:
    full_month(tmp_path / verify.FULL_MONTH)
    result = verify.run(load(), verify.Params(str(tmp_path)))
    assert set(checks(result, verify.FULL_MONTH).values()) == {"pass"}, result["failures"]

"""The evidence: passes on the published files, fails on others, and says what it did not check."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from cabstand import cli
from cabstand.errors import ConfigError, DataError
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
    assert "://" not in page


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


def published(shared: Path, month: str) -> dict[str, float]:
    """Return the figures of a green month from the table beside the data."""
    text = (shared / "data" / "README.md").read_text()
    [row] = re.findall(rf"^\| {month} \|(.*)\|$", text, re.MULTILINE)
    values = [float(value.replace(",", "")) for value in row.split("|")]
    return dict(zip(("rows", "kept", "columns", "intercept", "rmse"), values, strict=True))


@pytest.mark.parametrize("month", ["2021-01", "2026-01"])
def test_the_figures_of_a_month_of_one_s_own(month: str, shared: Path, tmp_path: Path) -> None:
    """Under another name, so that nothing is known of it; as a CSV file it has the same figures."""
    mine, text = tmp_path / "mine.parquet", tmp_path / "mine.csv.gz"
    shutil.copy(shared / "data" / "green" / f"green_tripdata_{month}.parquet", mine)
    names = ["lpep_pickup_datetime", "lpep_dropoff_datetime", "PULocationID", "DOLocationID"]
    with pa.CompressedOutputStream(str(text), "gzip") as stream:
        pv.write_csv(pq.read_table(mine, columns=names), stream)
    result = verify.run(load(), verify.Params(months=(str(mine), str(text))))
    assert (result["passed"], result["failed"], result["not_checked"]) == (0, 0, 0)
    for figures in result["months"].values():
        assert figures == pytest.approx(figures | published(shared, month), abs=1e-3)
    assert len(result["months"]) == 2
    page = storage.read(result["page_uri"]).decode()
    assert f"{result['months'][str(mine)]['intercept']:.4f}" in page
    assert "verify --month FILE" in page


def trips(path: Path, n: int = 300, **changed: list[object]) -> Path:
    rng = np.random.default_rng(0)
    start = np.datetime64("2024-01-01", "us") + rng.integers(0, 10**12, n).astype("m8[us]")
    columns = {
        "lpep_pickup_datetime": start,
        "lpep_dropoff_datetime": start + rng.integers(60, 3_600, n).astype("m8[s]"),
        "PULocationID": rng.integers(1, 9, n),
        "DOLocationID": rng.integers(1, 9, n),
    }
    pq.write_table(pa.table(columns | changed), path)
    return path


def test_missing_and_odd_location_ids_are_categories(tmp_path: Path) -> None:
    """As DictVectorizer has it: each value is one column, the missing one too."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LinearRegression

    pickup = [None if i % 9 == 0 else 10**12 if i % 11 == 0 else i % 7 for i in range(300)]
    path = trips(tmp_path / "x.parquet", PULocationID=pickup)
    table = pq.read_table(path).to_pylist()
    rows = [{"PU": str(row["PULocationID"]), "DO": str(row["DOLocationID"])} for row in table]
    minutes = [(row["lpep_dropoff_datetime"] - row["lpep_pickup_datetime"]).total_seconds() / 60 for row in table]
    matrix = DictVectorizer().fit_transform(rows)
    oracle = LinearRegression(tol=1e-12).fit(matrix, minutes)
    found = reference.linear(path)
    assert (found.rows, found.kept, found.columns) == (300, 300, matrix.shape[1])
    assert found.intercept == pytest.approx(oracle.intercept_, abs=1e-4)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((oracle.predict(matrix) - minutes) ** 2)), abs=1e-4)


def test_a_known_month_is_checked_too(shared: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["verify", "--month", str(shared / "data" / "green" / MONTH)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["passed"] == 5
    assert cli.run(["verify", "--month", str(trips(tmp_path / MONTH))]) == 1


def test_gaps_are_gaps_in_every_type(tmp_path: Path) -> None:
    pickup = [float("nan") if i % 9 == 0 else float(i % 7) for i in range(300)]
    nulls = [None if i % 9 == 0 else i % 7 for i in range(300)]
    found = [reference.linear(trips(tmp_path / "x.parquet", PULocationID=one)) for one in (pickup, nulls)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"PULocationID": ["Harlem"] * 300}, "not a readable Parquet file of trips"),
        ({"PULocationID": [0.5] * 300}, "not a readable Parquet file of trips"),
        ({"lpep_dropoff_datetime": [None] * 300}, "no ride of 1 to 60 minutes"),
        ({"lpep_dropoff_datetime": ["yesterday"] * 300}, "not a readable Parquet file of trips"),
    ],
)
def test_odd_columns_are_one_line(changed: dict[str, list[object]], what: str, tmp_path: Path) -> None:
    params = verify.Params(months=(str(trips(tmp_path / "x.parquet", **changed)),))
    with pytest.raises(DataError, match=what) as caught:
        verify.run(load(), params)
    assert "\n" not in str(caught.value)


def test_what_is_no_month_of_trips(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    many = trips(tmp_path / "many.parquet", 5_000, PULocationID=[*range(5_000)])
    empty = tmp_path / "empty.parquet"
    empty.touch()
    for uri, what in (
        (str(tmp_path / "x.csv"), "give a month as the TLC publishes it"),
        (str(many), "5,000 different LocationIDs"),
        (str(empty), "not a readable Parquet file"),
        (str(tmp_path / "absent.parquet"), "no such file"),
        (str(tmp_path), "no such file"),
    ):
        with pytest.raises(DataError, match=what):
            verify.run(load(), verify.Params(months=(uri,)))

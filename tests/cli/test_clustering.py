"""Bad input to the clustering commands gives one clear line and exit code 2, and nothing is written."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import crowds
from cabstand import cli


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def trips(tmp_path: Path) -> str:
    return crowds.write(tmp_path / "trips.parquet")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command that must fail; return its exit code and its error line."""
    code = cli.run(list(arguments))
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in told.err
    assert told.out == ""
    return code, lines[0]


@pytest.mark.parametrize("command", ["cluster", "compare", "sweep"])
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("absent.parquet", None, "no such file"),
        ("cut.parquet", b"PAR1 and nothing more", "truncated or damaged"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00", "neither Parquet nor CSV"),
        ("comma.csv", b"lat,lon\n40.7,-74.0\n40.7,-74.0,\n", "stray comma"),
        ("none.csv", b"lat,lon\n", "no rows"),
        ("nan.csv", b"lat,lon\n40.7,-74.0\nnan,-74.0\n", "NaN or infinite in row 1"),
        ("inf.csv", b"lat,lon\n40.7,inf\n", "NaN or infinite in row 0"),
        ("north.csv", b"lat,lon\n91,-74.0\n", "beyond 90 degrees in row 0"),
    ],
)
def test_bad_files(
    tmp_path: Path,
    lake: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    content: bytes | None,
    told: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    code, line = refused(capsys, command, "--input", str(path), "--lake", str(lake))
    assert code == 2
    assert told in line
    assert str(path) in line
    assert not lake.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--eps-m", "0"], "eps must be a distance in metres above 0"),
        (["--eps-m", "-1"], "eps must be a distance in metres above 0"),
        (["--eps-m", "nan"], "eps must be a distance in metres above 0"),
        (["--eps-m", "inf"], "eps must be a distance in metres above 0"),
        (["--eps-m", "far"], "number"),
        (["--min-samples", "0"], "min_samples must be"),
        (["--min-samples", "-3"], "min_samples must be"),
    ],
)
@pytest.mark.parametrize("command", ["cluster", "compare", "sweep"])
def test_bad_parameters(
    lake: Path, trips: str, capsys: pytest.CaptureFixture[str], command: str, options: list[str], told: str
) -> None:
    code, line = refused(capsys, command, "--input", trips, "--lake", str(lake), *options)
    assert code == 2
    assert told in line
    assert not lake.exists()


def test_a_mistyped_engine_gets_a_hint(lake: Path, trips: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, "cluster", "--input", trips, "--lake", str(lake), "--engine", "sequental")
    assert (code, "did you mean sequential" in line) == (2, True)
    code, line = refused(capsys, "cluster", "--input", trips, "--lake", str(lake), "--engine", "daks:2")
    assert (code, "did you mean dask" in line) == (2, True)
    code, line = refused(capsys, "compare", "--input", trips, "--lake", str(lake), "--engines", "multicor")
    assert (code, "did you mean multicore" in line) == (2, True)
    code, line = refused(capsys, "cluster", "--input", trips, "--lake", str(lake), "--workers", "0")
    assert (code, "workers must be 1 or more" in line) == (2, True)
    code, line = refused(capsys, "cluster", "--input", trips, "--lake", str(lake), "--weight-column", "w")
    assert (code, "no column 'w'" in line) == (2, True)
    code, line = refused(capsys, "compare", "--input", trips, "--lake", str(lake), "--sizes", "10,many")
    assert (code, "comma-separated numbers" in line) == (2, True)


def test_an_unwritable_lake(tmp_path: Path, trips: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for command in ("cluster", "sweep"):
        code, line = refused(capsys, command, "--no-track", "--input", trips, "--lake", str(tmp_path / "file" / "lake"))
        assert (code, "not a directory" in line) == (1, True)


def test_a_foreign_folder_is_not_replaced(tmp_path: Path, trips: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years")
    code, line = refused(capsys, "cluster", "--no-track", "--input", trips, "--out", str(tmp_path / "mine"))
    assert (code, "not made by cabstand" in line) == (2, True)
    assert (tmp_path / "mine" / "thesis").exists()


def test_mlflow_that_is_down(
    lake: Path, trips: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{taken.getsockname()[1]}")
        code, line = refused(capsys, "cluster", "--input", trips, "--lake", str(lake))
    assert (code, "MLflow does not answer" in line) == (1, True)
    assert not lake.exists()


@pytest.mark.parametrize("command", ["cluster", "compare", "sweep"])
def test_dry_run_ends_in_one_json_line(
    lake: Path, trips: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert cli.run([command, "--input", trips, "--lake", str(lake), "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["dry_run"]
    assert told["would_write"].startswith(str(lake))
    assert not lake.exists()


def test_out_names_the_folder(tmp_path: Path, trips: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "result"
    assert cli.run(["cluster", "--no-track", "--input", trips, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["labels_uri"] == str(out / "labels.parquet")
    # Another clustering takes the folder over, whole.
    assert cli.run(["cluster", "--no-track", "--input", trips, "--out", str(out), "--eps-m", "60"]) == 0
    assert json.loads((out / "manifest.json").read_text())["eps_m"] == 60

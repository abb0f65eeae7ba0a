"""The clustering job, from trips to published hotspots."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crowds
from cabstand.clustering import engines
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.metrics import distance_m
from cabstand.errors import StorageError
from cabstand.io import publish, storage, zones
from cabstand.jobs import cluster, synth
from cabstand.jobs.publishing import hotspots
from cabstand.settings import Settings
from cabstand.trips.synthetic.generator import Plan

NAMES = ["cores.parquet", "hotspots.geojson", "hotspots.npz", "hotspots.parquet", "labels.parquet", "manifest.json"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def trips(tmp_path: Path) -> str:
    return crowds.write(tmp_path / "trips.parquet")


def run(settings: Settings, uri: str, **params: Any) -> dict[str, Any]:
    return cluster.run(settings, cluster.Params(uri, track=False, **params))


def test_publishes_labels_hotspots_and_cores(settings: Settings, trips: str) -> None:
    result = run(settings, trips, engine="sequential")
    table = crowds.city()
    points = np.column_stack([table["pickup_lat"].to_numpy(), table["pickup_lon"].to_numpy()])
    expected = engines.named("sklearn").run(points, 50.0, 20)
    labels = pq.read_table(result["labels_uri"])
    assert labels.schema.types == [pa.int64(), pa.int32(), pa.bool_()]
    np.testing.assert_array_equal(labels["row"].to_numpy(), np.arange(len(points)))
    np.testing.assert_array_equal(labels["label"].to_numpy(), expected.labels)
    np.testing.assert_array_equal(labels["core"].to_numpy(), expected.core)
    assert result["n_clusters"] == expected.n_clusters == 4
    assert result["n_noise"] == np.count_nonzero(expected.labels < 0)
    spots = pq.read_table(result["hotspots_uri"])
    found = np.column_stack([spots["lat"].to_numpy(), spots["lon"].to_numpy()])
    for centre in crowds.CENTRES:
        assert distance_m(np.broadcast_to(centre, found.shape), found).min() < 10
    collection = json.loads(Path(result["geojson_uri"]).read_text())
    assert len(collection["features"]) == 4
    index = CoreIndex.load(result["index_uri"])
    ask = points[expected.core]
    np.testing.assert_array_equal(index.query(ask)[0], expected.labels[expected.core])
    folder = Path(result["manifest_uri"]).parent
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    manifest = publish.manifest(str(folder), hotspots.KIND.schema_version)
    assert manifest is not None
    assert set(manifest["files"]) == set(NAMES) - {"manifest.json"}
    assert result["peak_rss_mb"] > 10
    assert result["run_id"] is None


def test_the_same_again_is_not_made_again(settings: Settings, trips: str) -> None:
    first = run(settings, trips)
    again = run(settings, trips)
    assert (first["reused"], again["reused"]) == (False, True)
    assert again | {"reused": False} == first
    assert run(settings, trips, eps_m=60.0)["run_key"] != first["run_key"]


def test_no_hotspot_is_warned_of(settings: Settings, trips: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):  # the second time the result is reused
        caplog.clear()
        assert run(settings, trips, min_samples=100_000)["n_clusters"] == 0
        assert "no point has 100000 neighbours within" in caplog.text


def test_weights_and_the_other_end(settings: Settings, tmp_path: Path) -> None:
    table = crowds.city(per_crowd=12)
    names = [name.replace("pickup", "dropoff") for name in table.column_names]
    uri = crowds.write(tmp_path / "drop.parquet", table.rename_columns(names))
    plain = run(settings, uri, end="dropoff", min_samples=20)
    weighted = run(settings, uri, end="dropoff", min_samples=20, weight_column="n")
    assert plain["n_clusters"] == 0
    assert weighted["n_clusters"] > 0


def test_dry_run_writes_nothing(settings: Settings, trips: str) -> None:
    told = run(settings, trips, dry_run=True)
    assert told["dry_run"]
    assert not settings.home.exists()


def test_to_s3_and_from_there(bucket: str, tmp_path: Path, trips: str) -> None:
    storage.write(f"s3://{bucket}/in/trips.parquet", Path(trips).read_bytes())
    settings = Settings(home=tmp_path / "home", lake=f"s3://{bucket}/lake")
    result = run(settings, f"s3://{bucket}/in/*.parquet")
    assert result["labels_uri"].startswith(f"s3://{bucket}/lake/hotspots/cluster-")
    assert storage.exists(result["hotspots_uri"])
    assert run(settings, f"s3://{bucket}/in/*.parquet")["reused"]


def test_planted_hotspots_are_found_again(settings: Settings) -> None:
    made = synth.run(settings, synth.Params(Plan(trips=40_000, seed=3)))
    planted = json.loads(storage.read(made["planted_uri"]))
    result = run(settings, made["trips_uri"], **made["recommended"])
    assert result["synthetic"]
    spots = pq.read_table(result["hotspots_uri"])
    found = np.column_stack([spots["lat"].to_numpy(), spots["lon"].to_numpy()])
    for spot in planted["hotspots"]:
        centre = np.broadcast_to([spot["lat"], spot["lon"]], found.shape)
        assert distance_m(centre, found).min() < 50, spot["name"]
    assert all(spots["zone"].to_pylist()), "the lake has zones, so each hotspot has a name"
    hours = np.array(spots["hours"].to_pylist())
    assert hours.sum(axis=1) == pytest.approx(1)


def test_trips_that_know_their_zone_alone(settings: Settings) -> None:
    made = synth.run(settings, synth.Params(Plan(trips=3_000, seed=3, era="zones")))
    result = run(settings, made["trips_uri"])
    places = pq.read_table(zones.table_uri(settings.lake_uri))
    trips = pq.read_table(made["trips_uri"])
    counts = np.bincount(trips["pickup_zone"].to_numpy())
    assert result["n_clusters"] == np.count_nonzero(counts >= 20)
    assert result["n_points"] == 3_000
    assert result["n_clusters"] <= len(places)


def _limited(uri: str, lake: Path, limit: int) -> subprocess.CompletedProcess[str]:
    """Run `cabstand cluster` where no file may grow beyond `limit` bytes, as on a disk that fills up."""
    code = (
        "import resource, signal, sys\nfrom cabstand import cli\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"sys.exit(cli.run(['cluster', '--no-track', '--input', {uri!r}, '--lake', {str(lake)!r}]))\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_a_disk_that_fills_up(tmp_path: Path, trips: str) -> None:
    run(Settings(home=tmp_path / "home"), trips)  # compiles, so that the limited process need not write that
    lake = tmp_path / "small"
    done = _limited(trips, lake, 2_000)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "nothing was published" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list((lake / "hotspots").iterdir()) == []


def test_an_unwritable_lake(tmp_path: Path, trips: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="not a directory"):
        run(Settings(home=tmp_path / "home", lake=str(tmp_path / "file")), trips)


def _start(uri: str, lake: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cabstand", "cluster", "--no-track", "--input", uri, "--lake", str(lake)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=lake.parent)


def _whole_or_absent(lake: Path) -> bool:
    """Say whether a result is there; assert that it is whole if so."""
    shown = [path for path in lake.rglob("*") if not any(p.startswith(".") for p in path.relative_to(lake).parts)]
    folders = [path for path in shown if path.parent.name == "hotspots"]
    for folder in folders:
        manifest = publish.manifest(str(folder), hotspots.KIND.schema_version)
        assert manifest is not None
        assert sorted(path.name for path in folder.iterdir()) == NAMES
        for name, told in manifest["files"].items():
            assert (folder / name).stat().st_size == told["bytes"]
    return bool(folders)


@pytest.mark.slow
def test_killed_at_ten_moments_leaves_no_part_and_a_rerun_succeeds(tmp_path: Path) -> None:
    table = crowds.city(per_crowd=20_000, strangers=20_000)
    uri = crowds.write(tmp_path / "trips.parquet", table)
    whole = _start(uri, tmp_path / "undisturbed")
    began = time.monotonic()
    output, _ = whole.communicate(timeout=300)
    took = time.monotonic() - began
    expected = json.loads(output)
    lake, rng, killed = tmp_path / "lake", random.Random(11), 0
    for round_ in range(10):
        shutil.rmtree(lake, ignore_errors=True)
        child = _start(uri, lake)
        # Half of the moments near the end, where the writing is.
        time.sleep(took * (rng.uniform(0.6, 1.0) if round_ % 2 else rng.random()))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        _whole_or_absent(lake)
    output, errors = _start(uri, lake).communicate(timeout=300)
    result = json.loads(output)
    assert {json.loads(line)["level"] for line in errors.splitlines()} <= {"info"}  # what a slow machine waits for
    assert killed > 0
    assert _whole_or_absent(lake)
    assert not [path for path in (lake / "hotspots").iterdir() if path.name.startswith(".")]
    for name in ("labels_uri", "hotspots_uri", "cores_uri", "geojson_uri", "index_uri"):
        assert Path(result[name]).read_bytes() == Path(expected[name]).read_bytes(), name


def test_ctrl_c_is_one_line_and_130(tmp_path: Path, trips: str) -> None:
    lake = tmp_path / "lake"
    code = (
        "import os, signal, sys, time\nfrom cabstand import cli\nfrom cabstand.jobs.publishing import hotspots\n"
        # A shell that starts this in the background has SIGINT ignored, and children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "hotspots.complete = lambda *given: (os.kill(os.getpid(), signal.SIGINT), time.sleep(30))\n"
        f"sys.exit(cli.run(['cluster', '--no-track', '--input', {trips!r}, '--lake', {str(lake)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "error: interrupted; no partial results were left behind"
    assert done.stdout == ""
    assert list((lake / "hotspots").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("month", ["apr", "may", "jun"])
@pytest.mark.parametrize(("eps_m", "min_samples"), [(50.0, 20), (100.0, 50), (200.0, 100)])
def test_real_months_equal_scikit_learn(
    settings: Settings, shared: Path, month: str, eps_m: float, min_samples: int
) -> None:
    from cabstand.clustering.collapse import collapse
    from cabstand.io import points

    uri = str(shared / f"data/pickups/uber-raw-data-{month}14.head65535.csv.gz")
    expected = engines.named("sklearn").run(points.read(uri).latlon, eps_m, min_samples, None, 1)
    for workers in (1, 2):
        result = run(settings, uri, eps_m=eps_m, min_samples=min_samples, n_workers=workers)
        labels = pq.read_table(result["labels_uri"])
        np.testing.assert_array_equal(labels["label"].to_numpy(), expected.labels)
        np.testing.assert_array_equal(labels["core"].to_numpy(), expected.core)
    distinct = collapse(points.read(uri).latlon)
    path = settings.home / "places.parquet"
    columns = {"lat": distinct.points[:, 0], "lon": distinct.points[:, 1], "n": distinct.weight}
    uri = crowds.write(path, pa.table(columns))
    for workers in (1, 2):
        result = run(settings, uri, eps_m=eps_m, min_samples=min_samples, n_workers=workers, weight_column="n")
        labels = pq.read_table(result["labels_uri"])
        np.testing.assert_array_equal(labels["label"].to_numpy()[distinct.inverse], expected.labels)
        np.testing.assert_array_equal(labels["core"].to_numpy()[distinct.inverse], expected.core)

"""The comparison and the sweep, small and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crowds
from cabstand.clustering import engines
from cabstand.clustering.dbscan import Clustering
from cabstand.errors import ConfigError, TaskError
from cabstand.io.usage import Usage
from cabstand.jobs import compare, sweep
from cabstand.jobs.comparing import processes, summary, worker
from cabstand.jobs.comparing.summary import Case
from cabstand.jobs.comparing.worker import Task, Trial
from cabstand.settings import Settings
from waiting import until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    crowds.write(folder / "trips.parquet")
    return folder


@pytest.fixture(scope="module")
def compared(place: Path) -> dict[str, Any]:
    """One comparison of three engines, tracked, in real processes."""
    params = compare.Params(
        str(place / "trips.parquet"), engines=("sequential", "multicore:2", "sklearn"), sizes=(800,), repeats=1
    )
    return compare.run(Settings(home=place / "home", mlflow_tracking_uri=""), params)  # type: ignore[arg-type]


def test_comparison_measures_each_engine(compared: dict[str, Any]) -> None:
    assert compared["agree"]
    assert compared["baseline"] == "sklearn"
    rows = {row["engine"]: row for row in compared["table"]}
    assert set(rows) == {"sequential", "multicore", "sklearn"}
    for row in rows.values():
        assert row["n_points"] == 800
        assert row["wall_s"] > 0
        assert row["cpu_s"] > 0
        assert row["peak_rss_mb"] > 30
        assert row["speedup"] > 0
        assert row["speedup_low"] is None, "one repeat has no interval"
        assert 0 < row["score"] <= 1
        assert row["n_clusters"] == 4
    assert rows["sklearn"]["speedup"] == 1
    assert rows["sequential"]["efficiency"] == 1
    assert rows["multicore"]["n_workers"] == 2


def test_comparison_is_published_whole(compared: dict[str, Any]) -> None:
    report = json.loads(Path(compared["report_uri"]).read_text())
    assert report["schema_version"] == compare.KIND.schema_version
    assert len(report["trials"]) == 3
    assert all(one["process_cpu_s"] >= one["cpu_s"] for one in report["trials"])
    pairs = report["checks"][0]["pairs"]
    assert [pair["adjusted_rand"] for pair in pairs] == [1, 1]
    assert all(pair["equal_labels"] and pair["equal_noise"] for pair in pairs)
    assert report["checks"][0]["quality"]["sample"] > 0
    assert {(test["base"], test["engine"]) for test in report["tests"]} >= {("sequential:1", "multicore:2")}
    table = pq.read_table(compared["table_uri"])
    assert table.column_names == list(summary.COLUMNS)
    assert table.to_pylist() == report["table"]


def test_comparison_is_tracked_with_a_run_an_engine(compared: dict[str, Any], place: Path) -> None:
    from cabstand.io import tracking

    settings = Settings(home=place / "home", mlflow_tracking_uri="")  # type: ignore[arg-type]
    store, experiment = tracking.client(settings), tracking.experiment_id(settings)
    nested = store.search_runs([experiment], f"tags.mlflow.parentRunId = '{compared['run_id']}'")
    assert len(nested) == 3
    assert all(one.data.metrics["wall_s"] > 0 for one in nested)


def test_comparison_made_once(compared: dict[str, Any], place: Path) -> None:
    params = compare.Params(
        str(place / "trips.parquet"), engines=("sequential", "multicore:2", "sklearn"), sizes=(800,), repeats=1
    )
    again = compare.run(Settings(home=place / "home", mlflow_tracking_uri=""), params)  # type: ignore[arg-type]
    assert again["reused"]
    assert again["run_id"] == compared["run_id"]


def test_a_baseline_that_would_not_fit_stands_in_the_table(place: Path) -> None:
    params = compare.Params(
        str(place / "trips.parquet"), engines=("sklearn",), sizes=(800,), repeats=1, memory_gib=1e-6, track=False
    )
    result = compare.run(Settings(home=place / "home"), params)
    (row,) = result["table"]
    assert row["status"] == "refused"
    assert row["note"].startswith("would need ")
    assert row["note"].endswith(" GiB")
    assert row["wall_s"] is None


def test_repeats_have_intervals_and_tests() -> None:
    def case(engine: str, workers: int, *walls: float) -> Case:
        return Case(engine, workers, 10, [Trial(Usage(s, s * 2, 100.0, 1.0), 9.0, "same", 1, 0) for s in walls])

    cases = [case("sequential", 1, 1.0, 1.1, 1.2), case("multicore", 2, 0.6, 0.7), case("sklearn", 1, 9.0, 10.0, 12.0)]
    rows = summary.table(cases, {"wall_s": 1.0, "cpu_s": 1.0, "peak_rss_mb": 1.0}, 2)
    assert rows[0]["speedup_low"] < rows[0]["speedup"] < rows[0]["speedup_high"]
    assert rows[1]["efficiency"] == pytest.approx(1.1 / 0.65 / 2)
    assert rows[0]["cpu_share"] == 1
    assert [row["note"] for row in rows] == [None, None, None]
    assert rows[1]["score"] == 1
    pairs = {(test["base"], test["engine"]): test for test in summary.tests(cases)}
    assert len(pairs) == 4
    assert pairs["sklearn:1", "sequential:1"]["mann_whitney_u"] == 9
    assert pairs["sequential:1", "multicore:2"]["cohen_d"] > 0


@pytest.mark.parametrize(
    ("walls", "note"),
    [
        ((0.5, 0.6, 0.55), None),
        ((1.9, 2.1, 2.0), "slower than sequential"),
        ((0.9, 1.2, 1.1), "not surely faster than sequential"),
        ((2.0,), "slower than sequential"),
    ],
)
def test_threads_that_bring_nothing_are_said_to(walls: tuple[float, ...], note: str | None) -> None:
    def case(engine: str, workers: int, *walls: float) -> Case:
        return Case(engine, workers, 10, [Trial(Usage(s, s, 100.0, 1.0), 9.0, "same", 1, 0) for s in walls])

    cases = [case("sequential", 1, 1.0, 1.1, 1.05), case("multicore", 2, *walls)]
    rows = summary.table(cases, {"wall_s": 1.0, "cpu_s": 1.0, "peak_rss_mb": 1.0}, 2)
    assert [row["note"] for row in rows] == [None, note]


def test_no_speed_up_over_a_refused_baseline() -> None:
    one = Trial(Usage(1.0, 1.0, 100.0, 1.0), 2.0, "same", 1, 0)
    cases = [Case("sequential", 1, 10, [one, one]), Case("sklearn", 1, 10, [], refused_bytes=3 << 30)]
    rows = summary.table(cases, {"wall_s": 1.0, "cpu_s": 1.0, "peak_rss_mb": 1.0}, 2)
    assert rows[0]["speedup"] is None
    assert rows[1]["note"] == "would need 3 GiB"
    assert summary.tests(cases) == []


def test_engines_that_disagree_fail_the_run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cabstand import cli

    counted = iter(range(100))

    def lie(task: Task) -> Trial:
        return Trial(Usage(1.0, 1.0, 100.0, 1.0), 2.0, f"answer {next(counted)}", 1, 0)

    half = Clustering(np.zeros(800, np.int32), np.ones(800, bool), 1)
    monkeypatch.setattr(processes, "started", lambda: nullcontext(lie))
    monkeypatch.setattr(worker, "clustering", lambda task: half)
    options = ["compare", "--no-track", "--engines", "sequential,sklearn", "--sizes", "800", "--repeats", "1"]
    code = cli.run([*options, "--input", str(place / "trips.parquet"), "--lake", str(place / "x")])
    told = capsys.readouterr()
    assert code == 1
    assert json.loads(told.out.splitlines()[-1])["agree"] is False
    assert "do not agree" in told.err


def task(folder: Path, points: str, engine: str = "sequential", n_workers: int = 1) -> Task:
    return Task(engine, n_workers, 50.0, 20, str(folder / points), None, str(folder / "out.npz"))


def test_a_trial_fails_in_one_line_and_the_next_one_runs(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal([40.7, -74.0], 0.001, (500, 2))
    np.save(tmp_path / "points.npy", points)
    with processes.started() as run:
        for _ in range(2):
            with pytest.raises(TaskError, match="ended with 1: FileNotFoundError"):
                run(task(tmp_path, "absent.npy"))
        found = run(task(tmp_path, "points.npy"))
    expected = engines.named("sequential").run(points, 50.0, 20)
    assert found.n_clusters == expected.n_clusters
    assert worker.clustering(task(tmp_path, "points.npy")).labels.tolist() == expected.labels.tolist()


def test_a_process_that_cannot_begin_is_one_line(tmp_path: Path) -> None:
    with processes.started() as run, pytest.raises(TaskError, match=r"ended with 1: .*workers must be 1 or more"):
        run(task(tmp_path, "points.npy", "multicore", 0))


@pytest.mark.parametrize("engine", ["multicore", "sklearn"])
def test_a_process_that_forks_has_no_threads_of_its_own(tmp_path: Path, engine: str) -> None:
    np.save(tmp_path / "points.npy", np.zeros((30, 2)))
    before = psutil.Process().children()  # such as multiprocessing's resource tracker
    with processes.started() as run:
        run(task(tmp_path, "points.npy", engine, 2))
        [process] = (child for child in psutil.Process().children() if child not in before)
        names = [Path(f"/proc/{process.pid}/task/{one.id}/comm").read_text().strip() for one in process.threads()]
    assert len(set(names) - {"jemalloc_bg_thd"}) == 1
    assert len(names) <= 2
    assert not process.is_running()


def test_a_killed_trial_is_named_and_dies_with_the_run_that_started_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "points.npy")
    code = f"""
from cabstand.jobs.comparing import processes, worker
with processes.started() as run:
    run(worker.{task(tmp_path, "points.npy")!r})
"""
    # The file opens as soon as the trial reads it, which then waits.
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as run:
        with (tmp_path / "points.npy").open("wb"):
            process, trial = psutil.Process(run.pid).children(recursive=True)
            trial.kill()
            assert run.stderr is not None
            assert "most likely it ran out of memory" in run.stderr.read()
        assert not process.is_running()
    with subprocess.Popen([sys.executable, "-c", code]) as run, (tmp_path / "points.npy").open("wb"):
        children = psutil.Process(run.pid).children(recursive=True)
        assert len(children) == 2
        run.kill()
        until(lambda: all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in children))


@pytest.mark.parametrize(
    "wrong",
    [{"repeats": 0}, {"sizes": (0,)}, {"sizes": (10**9,)}, {"engines": ()}, {"engines": ("sklearn", "sklearn:1")}],
)
def test_wrong_parameters(place: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        compare.run(Settings(home=place / "none"), compare.Params(str(place / "trips.parquet"), track=False, **wrong))


@pytest.fixture(scope="module")
def swept(place: Path) -> dict[str, Any]:
    params = sweep.Params(str(place / "trips.parquet"), k=10, sample=300, track=False)
    return sweep.run(Settings(home=place / "home"), params)


def test_sweep_tries_every_pair(swept: dict[str, Any]) -> None:
    assert len(swept["table"]) == 30
    assert {(row["eps_m"], row["min_samples"]) for row in swept["table"]} == {
        (eps, count) for eps in sweep.EPS_M for count in sweep.MIN_SAMPLES
    }
    row = next(row for row in swept["table"] if (row["eps_m"], row["min_samples"]) == (50.0, 20))
    assert row["n_clusters"] == 4
    assert row["silhouette"] > 0.9
    # The crowds are about 20 m wide and the strangers kilometres apart.
    assert 5 < swept["suggested_eps_m"] < 500
    assert swept["best"]["n_clusters"] == 4
    report = json.loads(Path(swept["report_uri"]).read_text())
    assert report["k_distance"]["curve_m"] == sorted(report["k_distance"]["curve_m"])
    assert len(pq.read_table(swept["table_uri"])) == 30


def test_sweep_made_once(swept: dict[str, Any], place: Path) -> None:
    params = sweep.Params(str(place / "trips.parquet"), k=10, sample=300, track=False)
    assert sweep.run(Settings(home=place / "home"), params)["reused"]


def test_the_sweep_recommends_one_pair(swept: dict[str, Any]) -> None:
    best = swept["best"]
    assert swept["suggested_eps_m"] == best["eps_m"]
    row = next(row for row in swept["table"] if all(row[name] == best[name] for name in best))
    assert not row["chains"]
    curve = json.loads(Path(swept["report_uri"]).read_text())["k_distance"]
    assert curve["k"] == 10
    assert curve["at_knee"]["n_clusters"] == 4
    assert not curve["at_knee"]["chains"]


def test_the_sweep_does_not_recommend_what_chains(tmp_path: Path) -> None:
    """Ranks along five streets: the best separated clusters are the streets, which are no hotspots."""
    rng = np.random.default_rng(2)
    metre = 1 / 111_194.93
    ranks = np.stack([np.repeat(np.arange(20) * 60.0, 30), np.zeros(600)], axis=1)
    streets = np.concatenate([ranks + np.array([0, street * 20_000]) for street in range(5)])
    stray = np.column_stack([np.full(300, -30_000.0), np.arange(300) * 1000.0])
    points = np.concatenate([streets + rng.normal(0, 8, streets.shape), stray])
    lat, lon = (np.array([40.7, -74.0]) + points * metre).T
    uri = crowds.write(tmp_path / "streets.parquet", pa.table({"lat": lat, "lon": lon}))
    told = sweep.run(Settings(home=tmp_path / "home"), sweep.Params(uri, k=None, sample=300, track=False))
    whole = [row for row in told["table"] if row["n_clusters"] == 5]
    assert whole
    assert all(row["chains"] for row in whole)
    assert max(row["score"] for row in whole) > told["best"]["score"]
    assert told["best"]["n_clusters"] > 50
    assert told["suggested_eps_m"] == told["best"]["eps_m"]
    only = sweep.Params(uri, eps_m=[150, 200], min_samples=[10, 20], k=20, sample=300, track=False)
    none = sweep.run(Settings(home=tmp_path / "home"), only)
    assert none["best"] is None
    assert none["suggested_eps_m"] < 60


def test_thresholds_grow_with_the_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    points = rng.normal([40.7, -74.0], 0.05, (200_000, 2))
    uri = crowds.write(tmp_path / "many.parquet", pa.table({"lat": points[:, 0], "lon": points[:, 1]}))
    told = sweep.run(Settings(home=tmp_path / "home"), sweep.Params(uri, dry_run=True))
    assert told["min_samples"] == [40, 80, 200, 400, 800]


@pytest.mark.parametrize("wrong", [{"eps_m": ()}, {"eps_m": (0.0,)}, {"min_samples": (0,)}, {"k": 1}])
def test_wrong_grid(place: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        sweep.run(Settings(home=place / "none"), sweep.Params(str(place / "trips.parquet"), track=False, **wrong))

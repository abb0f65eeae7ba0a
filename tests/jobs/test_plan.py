"""The plan against arithmetic; `tests/benchmarks` holds it against reality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.clustering import planner
from cabstand.clustering.metrics import EARTH_RADIUS_M
from cabstand.clustering.workload import Workload
from cabstand.costs import task_sizes
from cabstand.errors import ConfigError
from cabstand.jobs import plan
from cabstand.settings import Settings, load

PARAMS = {"eps_m": 60.0, "min_samples": 8, "n_workers": 2}


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> str:
    points = np.random.default_rng(1).normal([40.75, -73.98], [0.02, 0.02], (60_000, 2))
    uri = tmp_path_factory.mktemp("trips") / "one.parquet"
    pq.write_table(pa.table({"lat": points[:, 0], "lon": points[:, 1]}), uri)
    return str(uri)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path)


def test_it_picks_the_fastest_that_fits(trips: str, settings: Settings) -> None:
    found = plan.run(settings, plan.Params(trips, memory_gib=64, **PARAMS))
    fastest = min(found["engines"], key=lambda one: one["wall_s"])
    assert (found["engine"], found["n_workers"]) == (fastest["engine"], fastest["n_workers"])
    assert found["engine"] in {"sequential", "multicore"}
    assert {one["engine"] for one in found["engines"]} == {"sequential", "multicore", "dask", "sklearn"}
    assert found["n_points"] == found["n_sampled"] == 60_000
    assert found["predicted_wall_s"] > 0
    assert all(one["fits"] == (one["peak_mb"] <= 64 * 1024) for one in found["engines"])
    assert found["task"]["cpu"] >= 1024 * found["n_workers"]
    json.dumps(found, allow_nan=False)


def test_it_says_why_nothing_fits(trips: str, settings: Settings) -> None:
    params = plan.Params(trips, memory_gib=0.1, **PARAMS)
    found = plan.run(settings, params)
    assert found["engine"] is None
    assert "nothing fits" in found["reason"]
    with pytest.raises(ConfigError, match="nothing fits"):
        plan.choose(settings, params)


def test_a_sample_stands_for_the_whole(trips: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plan.run(settings, plan.Params(trips, memory_gib=64, **PARAMS))
    monkeypatch.setattr(plan, "CHUNK_ROWS", 1_000)
    sampled = plan.run(settings, plan.Params(trips, memory_gib=64, **PARAMS))
    assert sampled["n_sampled"] == 12_000
    assert sampled["n_points"] == 60_000
    assert sampled["neighbour_mass"] == pytest.approx(whole["neighbour_mass"], rel=0.1)


def test_the_neighbour_mass_is_exact_where_all_points_are_asked() -> None:
    points = np.random.default_rng(2).normal([40.75, -73.98], 0.01, (1_500, 2))
    lat, lon = np.radians(points).T
    over = (
        np.sin((lat[:, None] - lat) / 2) ** 2
        + np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    )
    exact = np.count_nonzero(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(over)) <= 150)
    assert planner.neighbour_mass(Workload(points, 1_500, 150.0, 5)) == pytest.approx(exact)


def test_lone_places_stay_what_they_are_in_a_sample() -> None:
    """Fifty points at one place are a cluster, wherever a tenth of all is looked at and however wide eps grows."""
    places = np.random.default_rng(4).uniform([40.5, -74.3], [41.1, -73.6], (600, 2))
    points = np.repeat(places, 50, axis=0)[np.random.default_rng(5).permutation(30_000)]
    whole = Workload(points, 30_000, 10.0, 20).clustering
    thinned = Workload(points[:3_000], 30_000, 10.0, 20)
    assert whole.core.all()
    assert thinned.clustering.core.mean() > 0.8


def test_points_at_places_of_their_own_keep_their_min_samples() -> None:
    points = np.random.default_rng(6).normal([40.75, -73.98], 0.01, (30_000, 2))
    whole = Workload(points, 30_000, 60.0, 40).clustering
    thinned = Workload(points[:7_500], 30_000, 60.0, 40).clustering
    assert thinned.core.mean() == pytest.approx(whole.core.mean(), abs=0.03)


@pytest.mark.parametrize("copies", [1, 50])
@pytest.mark.parametrize("eps_m", [1.0, 20.0, 60.0, 500.0])
def test_a_sample_tells_how_many_cells_there_will_be(eps_m: float, copies: int) -> None:
    places = np.random.default_rng(7).uniform([40.5, -74.3], [41.0, -73.7], (200_000 // copies, 2))
    points = np.repeat(places, copies, axis=0)[np.random.default_rng(8).permutation(200_000)]
    whole = Workload(points, 200_000, eps_m, 5).cells_per_point
    thinned = Workload(points[:20_000], 200_000, eps_m, 5).cells_per_point
    assert thinned == pytest.approx(whole, rel=0.1, abs=0.02)


@pytest.mark.parametrize(("n_points", "measured_mb"), [(3_000_000, 845.0), (8_000_000, 1663.0)])
def test_points_with_cells_of_their_own_take_more_memory(n_points: int, measured_mb: float) -> None:
    rng = np.random.default_rng(9)
    load = Workload(rng.uniform([-80, -180], [80, 180], (30_000, 2)), n_points, 50.0, 10)
    predicted_mb = planner.predict(load, 2, 4096.0)[0].peak_mb
    assert measured_mb / 1.1 <= predicted_mb <= measured_mb * 1.1


def test_points_with_cells_of_their_own_outgrow_the_caches_sooner() -> None:
    rng = np.random.default_rng(10)
    times = []
    for span in (0.001, 10.0):
        load = Workload(rng.uniform(40, 40 + span, (30_000, 2)), 3_000_000, 50.0, 10)
        load.__dict__["kernel_s"] = 1.0
        times.append(planner.predict(load, 1, 4096.0)[0].wall_s / 100)
    assert 1.1 < times[0] < 1.4  # 1.2 measured on the city
    assert 2.1 < times[1] / times[0] < 3.5


def test_a_csv_is_planned_too(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("lat,lon\n" + "40.75,-73.98\n" * 200)
    found = plan.run(settings, plan.Params(str(path), memory_gib=64, **PARAMS))
    assert found["n_points"] == 200
    assert {one["engine"] for one in found["engines"]} == {"sequential", "multicore", "sklearn"}


@pytest.mark.parametrize(
    ("n_workers", "memory", "cpu", "granted"),
    [
        (1, 400, 1024, 2048),
        (1, 2500, 1024, 3072),
        (1, 9000, 2048, 9216),
        (2, 100, 2048, 4096),
        (2, 17_000, 4096, 17_408),
        (4, 40_000, 8192, 40_960),
        (16, 1, 16384, 32_768),
    ],
)
def test_task_sizes_are_those_that_fargate_takes(n_workers: int, memory: float, cpu: int, granted: int) -> None:
    assert task_sizes.smallest(n_workers, memory) == task_sizes.TaskSize(cpu, granted)


def test_no_task_is_that_large() -> None:
    assert task_sizes.smallest(2, 130_000) is None
    assert task_sizes.smallest(20, 1) is None


TABLE = [
    planner.Prediction("sequential", 1, 3.0, 500.0),
    planner.Prediction("multicore", 2, 2.0, 300.0),
    planner.Prediction("sklearn", 1, 0.5, 100.0),
    planner.Prediction("dask", 2, 1.0, 70_000.0, 35_000.0),
]


def test_auto_obeys_the_plan_where_memory_may_not_suffice(
    trips: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both measure for themselves, and two engines may be about as quick: here what they find is given."""
    monkeypatch.setattr(planner, "predict", lambda *_, **__: TABLE)
    planned = plan.run(settings, plan.Params(trips, memory_gib=0.4, **PARAMS))
    chosen = plan.choose(settings, plan.Params(trips, memory_gib=0.4, **PARAMS))
    assert planned["engine"] == "sklearn"  # which nobody gets who did not ask for it
    assert chosen is not None
    assert (chosen.engine, chosen.n_workers) == ("multicore", 2)
    assert "the fastest that fits in 410 MiB" in chosen.reason
    assert plan.choose(settings, plan.Params(trips, memory_gib=64, **PARAMS)) is None


def test_by_default_points_and_cores_decide_and_the_result_says_why(
    trips: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cabstand import cli
    from cabstand.clustering import engines

    def cluster(*options: str) -> dict[str, Any]:
        assert cli.run(["cluster", "--input", trips, "--no-track", "--lake", settings.lake_uri, *options]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    few = cluster()
    assert (few["engine"], few["n_workers"]) == ("sequential", 1)
    assert "threads pay from" in few["engine_reason"]
    monkeypatch.setattr(engines, "THREADS_PAY", 1)
    many = cluster("--workers", "2")
    assert (many["engine"], many["n_workers"]) == ("multicore", 2)
    assert "2 threads share" in many["engine_reason"]
    one_core = cluster("--workers", "1")
    assert one_core["reused"]
    assert one_core["engine"] == "sequential"
    asked = cluster("--engine", "sequential")
    assert (asked["reused"], asked["engine_reason"]) == (True, "asked for")
    assert Path(few["labels_uri"]).read_bytes() == Path(many["labels_uri"]).read_bytes()


def test_a_scheduler_means_its_workers(trips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from cabstand import cli
    from cabstand.jobs import cluster_dask

    given = []
    monkeypatch.setattr(cluster_dask, "run", lambda settings, params: given.append(params) or {})
    assert cli.run(["cluster", "--scheduler", "tcp://127.0.0.1:9", "--input", trips]) == 0
    assert [one.scheduler for one in given] == ["tcp://127.0.0.1:9"]


@pytest.mark.parametrize(
    "option",
    [
        "--worker-memory-gib=0",
        "--worker-memory-gib=-1",
        "--worker-memory-gib=nan",
        "--worker-memory-gib=inf",
        "--worker-memory-gib=0.1",
        "--blocks=0",
    ],
)
def test_what_workers_cannot_have_is_one_line(trips: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cabstand import cli

    assert cli.run(["cluster", "--engine", "dask", "--input", trips, option]) == 2
    assert option.split("=", maxsplit=1)[0].removeprefix("--") in capsys.readouterr().err


def test_what_one_machine_cannot_hold_goes_to_workers_that_share_the_memory() -> None:
    sample = np.random.default_rng(3).normal([40.75, -73.98], 0.02, (20_000, 2))
    question = Workload(sample, 200_000_000, 30.0, 500)
    table = {one.engine: one for one in planner.predict(question, 2, 8_192.0)}
    assert [name for name, one in table.items() if one.peak_mb <= 8_192] == ["dask"]
    assert table["dask"].worker_mb == (8_192 - planner.DASK_DRIVER_MB) / 2
    assert all(one.worker_mb is None for name, one in table.items() if name != "dask")
    tight = {one.engine: one for one in planner.predict(question, 2, 900.0)}
    assert tight["dask"].peak_mb > 900


def test_the_command_gives_the_workers_what_the_plan_says(trips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from cabstand import cli
    from cabstand.jobs import cluster_dask

    given = []
    monkeypatch.setattr(plan, "choose", lambda settings, params: plan.Choice("dask", 3, "it fits", 768.0))
    monkeypatch.setattr(cluster_dask, "run", lambda settings, params: given.append(params) or {})
    assert cli.run(["cluster", "--engine", "auto", "--input", trips]) == 0
    assert cli.run(["cluster", "--engine", "auto", "--worker-memory-gib", "2", "--input", trips]) == 0
    assert [(one.n_workers, one.worker_memory_gib) for one in given] == [(3, 0.75), (3, 2.0)]


def test_the_command_says_why_nothing_fits(
    trips: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cabstand import cli

    monkeypatch.setattr(plan, "free_bytes", lambda: 100 << 20)
    assert cli.run(["cluster", "--engine", "auto", "--input", trips]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "nothing fits in 80 MiB: the smallest, sequential, needs" in line
    assert "free some memory, choose another --engine" in line

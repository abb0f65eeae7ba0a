"""Run keys as they were on the day they were frozen: the same input, parameters and code are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabstand.io import provenance, storage
from cabstand.jobs import cluster, compare, sweep, train
from cabstand.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(provenance, "code_version", lambda: "frozen")
    settings = Settings(home=tmp_path / "home")
    storage.write(storage.join(settings.lake_uri, "zones", "zones.geojson"), b'{"features": []}')
    return settings


@pytest.fixture
def trips(tmp_path: Path) -> str:
    path = tmp_path / "trips.csv"
    path.write_text("lat,lon,n\n40.75,-73.98,1\n40.76,-73.99,2\n")
    return str(path)


def test_of_clusterings(settings: Settings, trips: str) -> None:
    params = cluster.Params(trips, eps_m=60, min_samples=3, n_workers=2, weight_column="n", dry_run=True)
    assert cluster.run(settings, params)["run_key"] == "cluster-c9bd52c4283ae744"
    plain = cluster.Params(trips, engine="sequential", dry_run=True)
    assert cluster.run(settings, plain)["run_key"] == "cluster-f0bf4c1618cd539e"


def test_of_clusterings_on_dask(settings: Settings, trips: str) -> None:
    pytest.importorskip("distributed")
    from cabstand.jobs import cluster_dask

    params = cluster_dask.Params(trips, n_workers=3, dry_run=True)
    assert cluster_dask.run(settings, params)["run_key"] == "cluster-4f7f48db041fdcf9"


def test_of_comparisons_and_sweeps(settings: Settings, trips: str) -> None:
    compared = compare.Params(trips, engines=("sequential", "multicore:2"), sizes=(2,), memory_gib=2.0, dry_run=True)
    assert compare.run(settings, compared)["run_key"] == "compare-4e84f24731fc0f30"
    swept = sweep.Params(trips, eps_m=(25.0, 50.0), min_samples=(2, 5), n_workers=2, dry_run=True)
    assert sweep.run(settings, swept)["run_key"] == "sweep-4912da7b13ee521b"


def test_of_bundles(settings: Settings) -> None:
    assert train.run(settings, train.Params("iris", seed=4, dry_run=True))["model_version"] == "m-00d069d3328e"

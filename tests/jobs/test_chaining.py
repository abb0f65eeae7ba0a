"""Clusters that chain together: the warning, the eps that it suggests, and the densest parts, as the job gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crowds
from cabstand import cli
from cabstand.errors import ConfigError
from cabstand.io import publish
from cabstand.jobs import cluster, cluster_dask, sweep, synth
from cabstand.jobs.publishing import hotspots
from cabstand.settings import Settings
from cabstand.trips.synthetic.generator import Plan

M = 1 / 111_194.93  # degrees of latitude in a metre
FROZEN = Path(__file__).resolve().parents[1] / "formats" / "hotspots" / "v1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An avenue of 2.4 km with a rank of 60 trips every 60 m, and as many trips again far from each other."""
    rng = np.random.default_rng(4)
    ranks = np.column_stack([np.repeat(np.arange(40) * 60.0, 60), np.zeros(2400)]) + rng.uniform(-5, 5, (2400, 2))
    apart = np.column_stack([np.repeat(20_000.0, 2400), np.arange(2400) * 200.0])
    lat, lon = (np.array([40.7, -74.0]) + rng.permutation(np.concatenate([ranks, apart])) * M).T
    table = pa.table({"pickup_lat": lat, "pickup_lon": lon, "n": rng.integers(1, 3, 4800)})
    return crowds.write(tmp_path_factory.mktemp("street") / "trips.parquet", table)


def run(settings: Settings, uri: str, **params: Any) -> dict[str, Any]:
    return cluster.run(settings, cluster.Params(uri, track=False, **params))


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "chain together" in record.getMessage()]


def test_a_chain_is_warned_of_with_an_eps_that_has_none(
    settings: Settings, street: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(settings, street, eps_m=75.0)
    assert run(settings, street, eps_m=75.0)["reused"]
    found = result["chaining"]
    assert (found["n_clusters"], found["share"]) == (1, 0.5)
    assert found["radius_m"] > found["radius_bound_m"] == 500
    assert found["share"] > found["share_bound"] == 0.05
    eps_m = found["suggested"]["eps_m"]
    first, again = warnings_in(caplog)
    assert first == again
    assert "50.0% of the points" in first
    assert f"--eps-m {eps_m:g} " in first
    assert "--max-spread-m" in first
    manifest = publish.manifest(str(Path(result["manifest_uri"]).parent), hotspots.KIND.schema_version)
    assert manifest is not None
    assert manifest["chaining"] == found
    caplog.clear()
    apart = run(settings, street, eps_m=eps_m)
    assert apart["chaining"] is None
    assert apart["n_clusters"] == found["suggested"]["n_clusters"] == 40
    assert warnings_in(caplog) == []
    assert run(settings, street, eps_m=eps_m + 1)["chaining"] is not None


def test_the_share_is_one_of_weights(settings: Settings, street: str) -> None:
    result = run(settings, street, eps_m=75.0, weight_column="n")
    table = pq.read_table(street)
    weight = table["n"].to_numpy()
    inside = pq.read_table(result["labels_uri"])["label"].to_numpy() >= 0
    assert result["chaining"]["share"] == pytest.approx(weight[inside].sum() / weight.sum())


def test_hotspots_that_are_small_or_light_are_not_warned_of(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(settings, crowds.write(tmp_path / "trips.parquet"))["chaining"] is None
    assert run(settings, str(tmp_path / "trips.parquet"), dry_run=True).get("chaining") is None
    apart = Settings(home=tmp_path / "apart")
    zones = synth.run(apart, synth.Params(Plan(trips=2_000, seed=3, era="zones")))["trips_uri"]
    assert run(apart, zones, eps_m=9_000.0)["chaining"] is None
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("weight", [None, "n"])
def test_the_densest_parts_are_in_files_of_their_own(settings: Settings, street: str, weight: str | None) -> None:
    result = run(settings, street, eps_m=75.0, max_spread_m=150.0, weight_column=weight)
    whole = run(settings, street, eps_m=75.0, weight_column=weight)
    assert result["run_key"] != whole["run_key"]
    assert "parts_uri" not in whole
    assert result["parts"]["n_divided"] == 1
    rows = pq.read_table(result["parts_uri"])
    assert len(rows) == result["parts"]["n_parts"] == 40
    assert set(rows["hotspot"].to_pylist()) == {0}
    assert max(rows["spread_m"].to_pylist()) <= 150
    assert max(rows["part_eps_m"].to_pylist()) < 75
    labels = pq.read_table(result["labels_uri"])
    part, label = labels["part"].to_numpy(), labels["label"].to_numpy()
    np.testing.assert_array_equal(label, pq.read_table(whole["labels_uri"])["label"].to_numpy())
    np.testing.assert_array_equal(np.bincount(part + 1)[1:], rows["size"].to_numpy())
    assert (label[part >= 0] == 0).all()
    trips = pq.read_table(street)
    mass = trips["n"].to_numpy() if weight else np.ones(len(trips))
    assert result["parts"]["share"] == pytest.approx(mass[part >= 0].sum() / mass.sum())
    names = set(json.loads(Path(result["manifest_uri"]).read_text())["files"])
    assert {"parts.parquet", "parts.geojson"} <= names
    for name in ("hotspots_uri", "geojson_uri", "cores_uri", "index_uri"):
        assert Path(result[name]).read_bytes() == Path(whole[name]).read_bytes(), "the hotspots themselves stay"


def test_parts_open_together_with_the_hotspots(settings: Settings, street: str) -> None:
    result = run(settings, street, eps_m=75.0, max_spread_m=150.0)
    names = ("hotspots_uri", "geojson_uri", "parts_uri", "parts_geojson_uri")
    frames = [
        geopandas.read_file(result[name]) if "geojson" in name else geopandas.read_parquet(result[name])
        for name in names
    ]
    assert len(pd.concat(frames)) == 2 * (1 + 40)
    assert set(frames[2].columns) == set(frames[3].columns)
    assert set(frames[2].columns) - set(frames[0].columns) == {"hotspot", "part_eps_m", "spread_m"}


def test_no_hotspot_has_no_parts(settings: Settings, street: str) -> None:
    result = run(settings, street, eps_m=75.0, min_samples=4_000, max_spread_m=150.0)
    assert result["parts"] == {"n_parts": 0, "n_divided": 0, "share": 0.0}
    assert len(pq.read_table(result["parts_uri"])) == 0


def test_what_has_no_parts_is_refused_in_one_line(settings: Settings, street: str, capsys: Any) -> None:
    zones = synth.run(settings, synth.Params(Plan(trips=100, seed=3, era="zones")))["trips_uri"]
    with pytest.raises(ConfigError, match="only have a zone"):
        run(settings, zones, max_spread_m=150.0)
    base = ["cluster", "--input", street, "--no-track", "--lake", settings.lake_uri]
    for more, what in (
        (["--max-spread-m", "0"], "a distance in metres above 0"),
        (["--max-spread-m", "nan"], "a distance in metres above 0"),
        (["--engine", "dask", "--max-spread-m", "100"], "does not divide hotspots"),
    ):
        assert cli.run([*base, *more]) == 2
        (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
        assert what in line


@pytest.mark.slow
def test_workers_warn_as_well(settings: Settings, street: str, caplog: pytest.LogCaptureFixture) -> None:
    here = run(settings, street, eps_m=75.0)
    caplog.clear()
    there = cluster_dask.run(settings, cluster_dask.Params(street, eps_m=75.0, n_workers=1, track=False))
    assert there["chaining"] == pytest.approx(here["chaining"] | {"suggested": None})
    (line,) = warnings_in(caplog)
    assert "a smaller --eps-m" in line


def test_results_from_before_say_nothing_of_chains() -> None:
    manifest = json.loads((FROZEN / "manifest.json").read_text())
    result = hotspots.result(manifest, str(FROZEN))
    assert result["chaining"] is None
    assert "parts_uri" not in result


@pytest.mark.slow
def test_three_real_months_chain(settings: Settings, shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    uri = str(shared / "data/pickups/uber-raw-data-*14.head65535.csv.gz")
    result = run(settings, uri, min_samples=60, max_spread_m=150.0)
    spots = pq.read_table(result["hotspots_uri"])
    heaviest = np.argsort(-spots["size"].to_numpy())[:2]
    assert spots["radius_m"].to_numpy()[heaviest] == pytest.approx([2481, 1760], abs=1)
    assert spots["size"].to_numpy()[heaviest].sum() / result["n_points"] == pytest.approx(0.42, abs=0.005)
    assert result["n_clusters"] == 188
    assert result["chaining"]["suggested"]["eps_m"] == 33
    assert len(warnings_in(caplog)) == 1
    apart = run(settings, uri, min_samples=60, eps_m=result["chaining"]["suggested"]["eps_m"])
    assert apart["chaining"] is None
    assert apart["n_clusters"] == result["chaining"]["suggested"]["n_clusters"] == 309
    parts = pq.read_table(result["parts_uri"])
    assert parts["radius_m"].to_numpy().max() < 500
    inside = parts["size"].to_numpy()[np.isin(parts["hotspot"].to_numpy(), heaviest)].sum()
    assert inside > 0.7 * spots["size"].to_numpy()[heaviest].sum()


@pytest.mark.slow
def test_the_knee_of_three_real_months_chains_and_is_not_recommended(settings: Settings, shared: Path) -> None:
    uri = str(shared / "data/pickups/uber-raw-data-*14.head65535.csv.gz")
    told = sweep.run(settings, sweep.Params(uri, k=None, track=False))
    curve = json.loads(Path(told["report_uri"]).read_text())["k_distance"]
    assert told["suggested_eps_m"] == told["best"]["eps_m"] == 25
    assert curve["k"] == told["best"]["min_samples"]
    assert curve["knee_m"] == pytest.approx(108, abs=1)
    assert curve["at_knee"]["chains"]
    assert curve["at_knee"]["far_share"] == pytest.approx(0.79, abs=0.005)
    again = run(settings, uri, eps_m=25.0, min_samples=told["best"]["min_samples"])
    assert again["chaining"] is None

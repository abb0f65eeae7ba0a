"""What version 1 looked like on the day it was frozen: today's code reads it, and still writes its columns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import crowds
from cabstand.clustering.core_index import CoreIndex
from cabstand.io import provenance, publish
from cabstand.jobs import cluster, compare, sweep
from cabstand.jobs.comparing import summary
from cabstand.jobs.publishing import hotspots
from cabstand.settings import Settings

FORMATS = Path(__file__).resolve().parents[1] / "formats"
HOTSPOTS = FORMATS / "hotspots" / "v1"


def test_frozen_hotspots_are_whole() -> None:
    manifest = publish.manifest(str(HOTSPOTS), hotspots.KIND.schema_version)
    assert manifest is not None
    for name, told in manifest["files"].items():
        assert provenance.sha256_file(HOTSPOTS / name) == told["sha256"], name
    labels = pq.read_table(HOTSPOTS / "labels.parquet")
    spots = pq.read_table(HOTSPOTS / "hotspots.parquet")
    cores = pq.read_table(HOTSPOTS / "cores.parquet")
    assert len(labels) == manifest["n_points"]
    assert len(spots) == manifest["n_clusters"] == len(set(labels["label"].to_pylist()) - {-1})
    assert sum(labels["core"].to_pylist()) == manifest["n_core"] == sum(cores["count"].to_pylist())
    places = np.column_stack([cores["lat"].to_numpy(), cores["lon"].to_numpy()])
    found, distance = CoreIndex.load(HOTSPOTS / "hotspots.npz").query(places)
    np.testing.assert_array_equal(found, cores["cluster"].to_numpy())
    assert distance.max() < 1e-6
    collection = json.loads((HOTSPOTS / "hotspots.geojson").read_text())
    assert [feature["id"] for feature in collection["features"]] == spots["id"].to_pylist()


def test_todays_tables_have_the_frozen_columns(tmp_path: Path) -> None:
    uri = crowds.write(tmp_path / "trips.parquet")
    made = cluster.run(Settings(home=tmp_path / "home"), cluster.Params(uri, track=False, engine="sequential"))
    for name in ("labels.parquet", "hotspots.parquet", "cores.parquet"):
        today = pq.read_schema(Path(made["manifest_uri"]).parent / name)
        for field in pq.read_schema(HOTSPOTS / name):  # columns may be added
            assert today.field(field.name).equals(field), f"{name} changed: raise its schema version"
        assert today.metadata[b"schema_version"] == b"1"
    manifest = json.loads(Path(made["manifest_uri"]).read_text())
    assert set(manifest) >= set(json.loads((HOTSPOTS / "manifest.json").read_text()))


@pytest.mark.parametrize(
    ("folder", "name", "version"),
    [(kind.name, kind.manifest, kind.schema_version) for kind in (compare.KIND, sweep.KIND)],
)
def test_frozen_reports_are_read(folder: str, name: str, version: int) -> None:
    place = FORMATS / folder / "v1"
    report = publish.manifest(str(place), version, name)
    assert report is not None
    assert pq.read_table(place / "table.parquet").to_pylist() == report["table"]
    if folder == "comparison":
        assert list(report["table"][0]) == list(summary.COLUMNS)

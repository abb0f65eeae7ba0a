"""Summaries of clusters against a slow obvious computation, and the files they become."""

from __future__ import annotations

import json
import struct

import numpy as np
import pyarrow as pa
import pytest

from cabstand.clustering import geofiles
from cabstand.clustering.collapse import collapse
from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.distinct_points import distinct_core_points
from cabstand.clustering.hotspots import summarise
from cabstand.clustering.metrics import distance_m
from cabstand.clustering.zone_lookup import nearest_zones
from cabstand.errors import DataError


@pytest.fixture(scope="module")
def city() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four crowds and some noise, with weights and times."""
    rng = np.random.default_rng(7)
    centres = np.array([[40.70, -74.01], [40.75, -73.99], [40.77, -73.87], [40.64, -73.78]])
    crowd = np.concatenate([rng.normal(centre, 3e-4, (200, 2)) for centre in centres])
    points = np.round(np.concatenate([crowd, rng.uniform([40.5, -74.2], [40.9, -73.7], (200, 2))]), 4)
    at = np.datetime64("2024-01-01T00:00:00", "us") + rng.integers(0, 28 * 86400, len(points)).astype("timedelta64[s]")
    order = rng.permutation(len(points))
    return points[order], rng.integers(1, 5, len(points)).astype(float), at


def test_each_row_against_the_obvious(city: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points, weight, at = city
    labels, core, k = dbscan(points, 50.0, 20, sample_weight=weight)
    spots = summarise(points, labels, core, 50.0, weight=weight, at=at)
    assert len(spots) == k >= 4
    for label in range(k):
        mine = labels == label
        assert spots.size[label] == mine.sum()
        assert spots.core[label] == (mine & core).sum()
        assert spots.weight[label] == pytest.approx(weight[mine].sum())
        middle = np.average(points[mine], axis=0, weights=weight[mine])
        assert distance_m(spots.centroid[[label]], middle[None])[0] < 0.01
        far = distance_m(points[mine], np.broadcast_to(spots.centroid[label], (mine.sum(), 2))).max()
        assert spots.radius_m[label] == pytest.approx(far)
        hour = at[mine].astype("datetime64[h]").astype(int) % 24
        assert spots.hours is not None
        assert spots.hours[label] == pytest.approx(np.bincount(hour, weight[mine], 24) / weight[mine].sum())
        weekday = [moment.astype(object).weekday() for moment in at[mine]]
        assert spots.weekdays is not None
        assert spots.weekdays[label] == pytest.approx(np.bincount(weekday, weight[mine], 7) / weight[mine].sum())
    assert (spots.area_km2 > 0).all()
    assert spots.density_per_km2 == pytest.approx(spots.weight / spots.area_km2)


def test_a_cluster_across_the_antimeridian_has_its_middle_there() -> None:
    points = np.array([[0.0, 179.9999], [0.0, -179.9999], [0.0, 179.9998], [0.0, -179.9998]])
    spots = summarise(points, np.zeros(4, np.int32), np.ones(4, bool), 50.0)
    assert abs(abs(spots.centroid[0, 1]) - 180) < 1e-9
    assert spots.radius_m[0] == pytest.approx(0.0002 * 111_195, rel=1e-3)


def test_no_cluster_is_an_empty_table_that_opens() -> None:
    spots = summarise(np.zeros((3, 2)), np.full(3, -1, np.int32), np.zeros(3, bool), 50.0)
    table = geofiles.hotspots_table(spots, None, 50.0)
    assert len(table) == 0
    assert geofiles.feature_collection(table, {})["features"] == []


def test_unknown_times_and_weightless_clusters() -> None:
    at = np.array(["NaT", "2024-01-01T05:00"], "datetime64[us]")
    spots = summarise(np.array([[1.0, 1], [1, 1]]), np.zeros(2, np.int32), np.ones(2, bool), 50.0, at=at)
    assert spots.hours is not None
    assert spots.hours[0, 5] == 1
    nothing = summarise(np.array([[1.0, 1]]), np.zeros(1, np.int32), np.ones(1, bool), 50.0, weight=np.zeros(1))
    assert nothing.centroid[0] == pytest.approx([1, 1])
    assert nothing.weight[0] == 0


def test_geoparquet_and_geojson(city: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points, _, at = city
    labels, core, _ = dbscan(points, 50.0, 20)
    spots = summarise(points, labels, core, 50.0, at=at)
    table = geofiles.hotspots_table(spots, ["Zone"] * len(spots), 50.0)
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"][geo["primary_column"]]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Point"])
    assert table.schema.field("geometry").type == pa.binary()
    first = table.column("geometry")[0].as_py()
    assert struct.unpack("<BIdd", first) == (1, 1, spots.centroid[0, 1], spots.centroid[0, 0])
    collection = geofiles.feature_collection(table, {"source": "here"})
    assert collection["features"][0]["geometry"]["coordinates"] == pytest.approx(spots.centroid[0, ::-1], abs=1e-6)
    json.dumps(collection, allow_nan=False)


def test_cores_are_distinct_places(city: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points, _, _ = city
    labels, core, _ = dbscan(points, 50.0, 20)
    table = geofiles.cores_table(*distinct_core_points(points[core], labels[core]))
    assert table.column("count").to_numpy().sum() == core.sum()
    assert len(table) == len(np.unique(points[core], axis=0))


@pytest.mark.parametrize("seed", range(5))
def test_collapsed_points_cluster_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.round(rng.normal([40.7, -74.0], 0.01, (600, 2)), 3)
    weight = rng.integers(0, 4, len(points)).astype(float)
    whole = dbscan(points, 150.0, 6, sample_weight=weight)
    distinct = collapse(points, weight)
    found = dbscan(distinct.points, 150.0, 6, sample_weight=distinct.weight)
    assert len(distinct.points) < len(points)
    np.testing.assert_array_equal(found.labels[distinct.inverse], whole.labels)
    np.testing.assert_array_equal(found.core[distinct.inverse], whole.core)


def test_nearest_zone() -> None:
    square = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]
    zones = {
        "type": "FeatureCollection",
        "features": [
            {"properties": {"zone": "in"}, "geometry": {"type": "Polygon", "coordinates": square}},
            {
                "properties": {"zone": "far"},
                "geometry": {"type": "Polygon", "coordinates": [[[x + 3, y] for x, y in square[0]]]},
            },
        ],
    }
    assert nearest_zones(np.array([[0.5, 0.5], [0.5, 1.4], [0.5, 3.2]]), zones) == ["in", "in", "far"]
    with pytest.raises(DataError):
        nearest_zones(np.zeros((1, 2)), {"features": [{"geometry": None}]})

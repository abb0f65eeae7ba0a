"""Trips that name only zones are clustered at zone centroids, and everything made of them says so."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand.clustering.core_index import CoreIndex
from cabstand.jobs import cluster, compare, report, sweep, synth
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan

EXTENT = ("radius_m", "area_km2", "density_per_km2")


def clustered(settings: Settings, era: str) -> tuple[str, dict[str, Any]]:
    uri = synth.run(settings, synth.Params(Plan(trips=3_000, era=era)))["trips_uri"]
    return uri, cluster.run(settings, cluster.Params(uri, track=False))


@pytest.mark.parametrize("eps_m", [50.0, 3_000.0])  # each zone a hotspot, and zones that chain together
def test_hotspots_of_zones_have_no_extent(eps_m: float, caplog: pytest.LogCaptureFixture) -> None:
    settings = load()
    uri, _ = clustered(settings, "zones")
    with caplog.at_level(logging.WARNING):
        result = cluster.run(settings, cluster.Params(uri, eps_m=eps_m, track=False))
    assert "each point is a zone's centroid" in caplog.text
    assert result["by_zone"] is True
    spots = pq.read_table(result["hotspots_uri"])
    assert len(spots) == result["n_clusters"] > 0
    for name in EXTENT:
        assert spots[name].null_count == len(spots)
    collection = json.loads(Path(result["geojson_uri"]).read_text())
    assert collection["by_zone"] is True
    assert all(feature["properties"][name] is None for feature in collection["features"] for name in EXTENT)
    for name in ("hotspots_uri", "labels_uri", "cores_uri"):
        assert pq.read_schema(result[name]).metadata[b"cabstand.by_zone"] == b"true"
    assert "by_zone" in CoreIndex.load(result["index_uri"]).marks
    assert json.loads(Path(result["manifest_uri"]).read_text())["source"]["by_zone"] is True


def test_hotspots_of_places_have_one() -> None:
    _, result = clustered(load(), "coordinates")
    assert result["by_zone"] is False
    spots = pq.read_table(result["hotspots_uri"])
    assert len(spots) > 0
    for name in EXTENT:
        assert spots[name].null_count == 0
        assert min(spots[name].to_pylist()) > 0
    assert b"cabstand.by_zone" not in spots.schema.metadata
    assert json.loads(Path(result["geojson_uri"]).read_text())["by_zone"] is False


def test_comparison_and_sweep_say_it_too() -> None:
    settings = load()
    for era, by_zone in (("zones", True), ("coordinates", False)):
        uri, _ = clustered(settings, era)
        swept = sweep.run(settings, sweep.Params(uri, eps_m=[50], min_samples=[20], sample=40, track=False))
        one = compare.Params(uri, engines=["sequential"], sizes=[40], repeats=1, track=False)
        compared = compare.run(settings, one)
        for result in (swept, compared):
            assert result["by_zone"] is by_zone
            assert pq.read_schema(result["table_uri"]).metadata.get(b"cabstand.by_zone") == (
                b"true" if by_zone else None
            )


@pytest.mark.parametrize("era", ["zones", "coordinates"])
def test_the_page_says_it(era: str) -> None:
    settings = load()
    clustered(settings, era)
    told = report.run(settings, report.Params())
    page = Path(told["report_uri"]).read_text()
    assert told["by_zone"] is ("Zones, not places" in page) is (era == "zones")
    assert ('"radius_m": null' in page) is (era == "zones")
    captions = re.findall("<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert captions
    assert all(("zone centroids" in caption) is (era == "zones") for caption in captions)
    assert all("Synthetic trips." in caption for caption in captions)

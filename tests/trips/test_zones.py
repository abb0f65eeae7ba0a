from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cabstand.errors import DataError
from cabstand.trips import zones


@pytest.fixture(scope="module")
def real(shared: Path) -> zones.ZoneSet:
    return zones.convert(shared / "data/zones/taxi_zones.zip", shared / "data/zones/taxi_zone_lookup.csv")


def test_every_id_once_and_the_odd_ones_reported(real: zones.ZoneSet):
    assert real.table["LocationID"].to_pylist() == list(range(1, 266))
    assert real.report["duplicate_ids"] == {"56": 2, "103": 3}
    assert real.report["ids_without_shape"] == [57, 104, 105, 264, 265]
    assert len(real.geojson["features"]) == 260


def test_names(real: zones.ZoneSet):
    about = {row["LocationID"]: (row["zone"], row["borough"]) for row in real.table.to_pylist()}
    assert about[1] == ("Newark Airport", "EWR")
    assert about[264] == ("N/A", "Unknown")
    assert about[265] == ("Outside of NYC", "N/A")


def test_centroids_are_where_the_places_are(real: zones.ZoneSet):
    places = zones.Centroids(real.table).locate(np.array([132, 138, 57, 999, -1]))
    assert places[0] == pytest.approx([40.646, -73.786], abs=0.01)  # JFK
    assert places[1] == pytest.approx([40.774, -73.873], abs=0.01)  # LaGuardia
    assert np.isnan(places[2:]).all()


def test_outlines_are_small_and_in_degrees(real: zones.ZoneSet):
    text = json.dumps(real.geojson)
    assert len(text) < 500_000
    first = real.geojson["features"][0]["geometry"]["coordinates"]
    while isinstance(first[0], list):
        first = first[0]
    assert -74.3 < first[0] < -73.6
    assert 40.4 < first[1] < 41.0


def test_files_that_are_none(tmp_path: Path):
    lookup = tmp_path / "lookup.csv"
    lookup.write_text("LocationID,Borough,Zone\n1,Queens,A\n1,Queens,B\n")
    with pytest.raises(DataError, match="twice"):
        zones.read_lookup(lookup)
    lookup.write_text("LocationID,Borough\n1,Queens\n")
    with pytest.raises(DataError, match="lookup table"):
        zones.read_lookup(lookup)
    lookup.write_text("LocationID,Borough,Zone\n1,Queens,A\n")
    shapes = tmp_path / "taxi_zones.zip"
    shapes.write_text("no archive")
    with pytest.raises(DataError, match="shapefile"):
        zones.convert(shapes, lookup)
    with zipfile.ZipFile(shapes, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("taxi_zones.shp", bytes(zones.MAX_MEMBER_BYTES + 1))
    with pytest.raises(DataError, match="claims"):
        zones.convert(shapes, lookup)

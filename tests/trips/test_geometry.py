"""Points as GeoParquet, GeoJSON, WKT and WKB, of any reference system, are read as latitudes and longitudes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.io import points
from cabstand.trips.readers import open_trips

LAT = np.array([40.758013, 40.641311, 40.7128, 40.8])
LON = np.array([-73.985566, -73.778139, -74.006, -73.9])
SYSTEMS = ["EPSG:4326", "OGC:CRS84", "EPSG:2263", "EPSG:3857", "EPSG:32618", "EPSG:4269"]


def frame(crs: str = "EPSG:4326") -> gpd.GeoDataFrame:
    times = ["2014-04-01 00:11:00"] * len(LAT)
    return gpd.GeoDataFrame({"t": times}, geometry=gpd.points_from_xy(LON, LAT), crs="EPSG:4326").to_crs(crs)


def check(path: Path, n_null: int = 0) -> points.Points:
    """Check that both commands read the points, and `n_null` rows without."""
    found = points.read(str(path))
    np.testing.assert_allclose(found.latlon, np.column_stack([LAT, LON]), atol=2e-6)
    assert found.put_aside == ({"location_missing": n_null} if n_null else {})
    source = open_trips(path, "uber")
    trips = pa.Table.from_batches([batch.trips for batch in source.batches()])
    np.testing.assert_allclose(trips["pickup_lat"].drop_null(), LAT, atol=2e-6)
    assert source.crs == found.crs
    return found


def collection(crs: str = "EPSG:4326") -> dict[str, Any]:
    return json.loads(frame(crs).to_json())  # type: ignore[no-any-return]


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
@pytest.mark.parametrize("crs", SYSTEMS)
def test_geoparquet(tmp_path: Path, crs: str, encoding: Any) -> None:
    frame(crs).rename_geometry("where").to_parquet(tmp_path / "g.parquet", geometry_encoding=encoding)
    assert check(tmp_path / "g.parquet").crs == crs
    frame(crs).to_parquet(tmp_path / "g.parquet", geometry_encoding=encoding, write_covering_bbox=encoding == "WKB")
    assert check(tmp_path / "g.parquet").at is not None


def test_geoparquet_without_a_crs_is_in_degrees_and_with_null_is_refused(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "g.parquet")
    table = pq.read_table(tmp_path / "g.parquet")
    for crs, told in (({}, None), ({"crs": None}, "have no CRS"), ({"crs": "EPSG:0"}, "unknown CRS 'EPSG:0'")):
        geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", **crs}}, "version": "1.1.0"}
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "h.parquet")
        if told is None:
            check(tmp_path / "h.parquet")
        else:
            refused(tmp_path / "h.parquet", told)


def refused(path: Path, told: str) -> None:
    with pytest.raises(DataError) as caught:
        points.read(str(path))
    line = str(caught.value)
    assert told in line
    assert line.startswith(f"{path}: ")
    with pytest.raises(DataError) as caught:
        list(open_trips(path, "uber").batches())
    assert told in str(caught.value)


@pytest.mark.parametrize("crs", SYSTEMS)
@pytest.mark.parametrize("where", ["before", "after"])
def test_geojson_with_the_crs_of_2008(tmp_path: Path, crs: str, where: str) -> None:
    content = collection(crs)
    content.pop("crs", None)
    authority, code = crs.split(":")
    member = {"crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{authority}::{code}"}}}
    path = tmp_path / "g.geojson"
    path.write_text(json.dumps({**member, **content} if where == "before" else {**content, **member}))
    assert check(path).crs == crs


def test_geojson_in_every_layout(tmp_path: Path) -> None:
    path = tmp_path / "g"
    features = collection()["features"]
    for content in (
        json.dumps(collection()).encode(),
        json.dumps(collection(), indent=4).encode(),
        b"\xef\xbb\xbf\n" + json.dumps(collection()).encode(),
        gzip.compress(json.dumps(collection()).encode()),
        "\n".join(map(json.dumps, features)).encode(),
        "".join(f"\x1e{json.dumps(feature)}\n" for feature in features).encode(),
    ):
        path.write_bytes(content)
        assert check(path).crs in {"OGC:CRS84", "EPSG:4326"}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*features, feature(None)]}))
    check(path, n_null=1)


def feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"t": "2014-04-01 00:11:00"}, "geometry": geometry}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"type": "FeatureCollection", "features": [', "is it truncated or damaged?"),
        ('{"type": "FeatureCollection", "features": []}', "without a feature"),
        ('[{"lat": 1, "lon": 2}]', "JSON, but not GeoJSON"),
        ("[" * 100_000, "JSON, but not GeoJSON"),
        ('{"features": [' + "[" * 100_000, "nested too deeply"),
        ('{"features": [1]}', "a feature is no object"),
        (json.dumps(feature({"type": "Polygon", "coordinates": []})), "row 0 is of type Polygon, not Point"),
        (json.dumps(feature({"type": "MultiPoint", "coordinates": [[1, 2]]})), "explode it into points"),
        (json.dumps(feature({"type": "Point", "coordinates": ["a", 2]})), "row 0 are not two numbers"),
        (json.dumps({"features": [feature(None)], "crs": None}), "have no CRS"),
        (json.dumps({"features": [feature(None)], "crs": {"type": "link"}}), "unknown CRS"),
        (json.dumps({"features": [feature(None)], "crs": {"properties": {"name": "x"}}}), "unknown CRS 'x'"),
    ],
)
def test_json_that_cannot_be_read_gets_one_line(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "broken.geojson"
    path.write_text(content)
    refused(path, told)


NAMES = ("geom", "Pickup Centroid Location", "anything")


@pytest.mark.parametrize(
    ("shape", "name"), [("wkb", "geom"), *((shape, name) for shape in ("wkt", "ewkt", "hex") for name in NAMES)]
)
def test_columns_of_text_and_bytes(tmp_path: Path, shape: str, name: str) -> None:
    system = "EPSG:2263" if shape in {"ewkt", "hex"} else "EPSG:4326"
    geometry = frame(system).geometry
    values = {
        "wkt": geometry.to_wkt(),
        "ewkt": [f"SRID=2263;{text}" for text in geometry.to_wkt()],
        "hex": [shapely.to_wkb(shapely.set_srid(one, 2263), hex=True, include_srid=True) for one in geometry],
        "wkb": geometry.to_wkb(),
    }[shape]
    table = pa.table({"t": ["2014-04-01 00:11:00"] * 5, name: [*values, None]})
    pq.write_table(table, tmp_path / "p.parquet")
    check(tmp_path / "p.parquet", n_null=1)
    if shape != "wkb":
        lines = [f't;"{name}"', *(f"2014-04-01 00:11:00;{value}" for value in values), "2014-04-01 00:11:00;NA"]
        sep = "\t" if shape == "ewkt" else ";"
        (tmp_path / "p.csv").write_text(
            "\n".join(line.replace(";", "\t", 1) if sep == "\t" else line for line in lines)
        )
        check(tmp_path / "p.csv", n_null=1)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["POINT (1"], "holds no geometry in row 4"),
        (["LINESTRING (1 1, 2 2)"], "row 4 is of type LineString, not Point"),
        (["MULTIPOINT (1 1)"], "explode it into points"),
        (["SRID=4326;POINT (1 1)", "SRID=2263;POINT (1 1)"], "points of several CRS"),
    ],
)
def test_texts_that_are_no_points(tmp_path: Path, values: list[str], told: str) -> None:
    path = tmp_path / "p.parquet"
    texts = [*frame().geometry.to_wkt(), *values]
    pq.write_table(pa.table({"t": ["2014-04-01 00:11:00"] * len(texts), "geom": texts}), path)
    refused(path, told)


def test_columns_of_coordinates_go_before_geometries(tmp_path: Path) -> None:
    table = frame().assign(lat=LAT, lon=LON)
    table["geometry"] = table.to_crs(2263).buffer(100).to_crs(4326)
    table.to_parquet(tmp_path / "g.parquet")
    assert check(tmp_path / "g.parquet").crs is None


@pytest.mark.parametrize("kind", ["Polygon", "MultiPoint"])
def test_geometries_of_other_kinds_are_named(tmp_path: Path, kind: str) -> None:
    table = frame()
    shape = shapely.Point(1, 2).buffer(1) if kind == "Polygon" else shapely.MultiPoint([(1, 2)])
    table.loc[2, "geometry"] = shape
    table.to_parquet(tmp_path / "g.parquet")
    refused(tmp_path / "g.parquet", f"the geometry of row 2 is of type {kind}, not Point")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.text(alphabet='{}[]",:features typegeometrynull0123.\n', max_size=60))
def test_no_json_gives_a_traceback(tmp_path: Path, content: str) -> None:
    path = tmp_path / "any.json"
    path.write_text("{" + content)
    with pytest.raises(DataError):
        points.read(str(path))

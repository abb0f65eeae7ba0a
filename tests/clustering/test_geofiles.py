"""The files of hotspots in the hands of other libraries: they open, alone and together, whatever the clustering was."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crowds
from cabstand.jobs import cluster
from cabstand.settings import Settings

TABLE = crowds.city()
KINDS = {
    "times": (TABLE, {}),
    "no times": (TABLE.drop_columns(["pickup_at"]), {}),
    "weights": (TABLE, {"weight_column": "n", "min_samples": 40}),
    "weights of zero": (TABLE.set_column(3, "n", pa.array(np.r_[np.ones(400), np.zeros(400)])), {"weight_column": "n"}),
    "antimeridian": (TABLE.set_column(2, "pickup_lon", pa.array(TABLE["pickup_lon"].to_numpy() - 106.0)), {}),
    "no hotspot": (TABLE, {"min_samples": 800}),
}


@pytest.fixture(scope="module", params=KINDS)
def made(request: Any, tmp_path_factory: Any) -> dict[str, Any]:
    """Return the result of a clustering of each kind."""
    folder = tmp_path_factory.mktemp("made")
    table, params = KINDS[request.param]
    uri = crowds.write(folder / "trips.parquet", table)
    result = cluster.run(Settings(home=folder / "home"), cluster.Params(uri, track=False, **params))
    assert (result["n_clusters"] > 0) == (request.param != "no hotspot")
    return result


def test_both_open_together_in_geopandas(made: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas, where one is empty
        parquet, geojson = geopandas.read_parquet(made["hotspots_uri"]), geopandas.read_file(made["geojson_uri"])
        assert parquet.crs == geojson.crs
        both = pd.concat([parquet, geojson])
    assert len(both) == 2 * made["n_clusters"]
    if made["n_clusters"]:
        assert both.crs.to_epsg() == 4326
        assert parquet.geometry.geom_equals_exact(geojson.geometry, 1e-6).all()
        assert set(parquet.columns) == set(geojson.columns)
        assert parquet.geometry.x.tolist() == parquet["lon"].tolist()


def test_every_value_is_one_that_json_has(made: dict[str, Any]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = Path(made["geojson_uri"]).read_text()
    features = json.loads(text, parse_constant=refuse)["features"]
    rows = pq.read_table(made["hotspots_uri"]).drop_columns(["geometry"]).to_pylist()
    json.dumps(rows, allow_nan=False)
    for row, feature in zip(rows, features, strict=True):
        for name in ("hours", "weekdays"):
            assert feature["properties"][name] == pytest.approx(row[name], abs=1e-4)
    if rows:
        frame = geopandas.read_parquet(made["hotspots_uri"])
        for name in ("hours", "weekdays"):  # as the page of formats says
            frame[name] = [None if value is None else list(value) for value in frame[name]]
        assert len(json.loads(frame.to_json())["features"]) == len(rows)


def test_geoparquet_of_plain_columns_that_can_be_filtered_by_box(made: dict[str, Any]) -> None:
    schema = pq.ParquetFile(made["hotspots_uri"]).schema
    at = next(i for i in range(len(schema)) if schema.column(i).path == "geometry")
    assert (schema.column(at).physical_type, str(schema.column(at).logical_type)) == ("BYTE_ARRAY", "None")
    table = pq.read_table(made["hotspots_uri"])
    column = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]
    assert column["encoding"] == "WKB"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    assert column["covering"]["bbox"] == {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}
    for row in table.to_pylist():
        assert list(row["bbox"].values()) == [row["lon"], row["lat"]] * 2
    if len(table):
        west, south, east, north = column["bbox"]
        assert (west, south) == (min(table["lon"].to_pylist()), min(table["lat"].to_pylist()))
        found = geopandas.read_parquet(made["hotspots_uri"], bbox=(west, south, east, (south + north) / 2))
        assert 0 < len(found) < len(table)


def test_the_page_of_formats_says_what_opens_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    section = page.split("### What opens these files")[1].split("\n## ")[0]
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for line in section.splitlines()
        if len(cells := line.split("|")) == 6
    }
    for program in ("geopandas", "DuckDB", "lonboard", "Debian's GDAL", "Debian's QGIS", "polars", "pandas"):
        (found,) = [name for name in rows if name.startswith(f"{program} ")]
        assert re.search(r" \d+\.\d+\.\d+ ", found), "the version"
        assert set(rows[found]) <= {"points", "table", "no"}
    assert "`make readers`" in section


def test_tables_open_in_pandas_and_polars(made: dict[str, Any]) -> None:
    for name in ("hotspots_uri", "labels_uri", "cores_uri"):
        rows = pq.read_metadata(made[name]).num_rows
        assert len(pd.read_parquet(made[name])) == len(polars.read_parquet(made[name])) == rows

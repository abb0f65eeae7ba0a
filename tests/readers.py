"""`make readers`: open the files of a clustering with other programs, and write in docs/formats.md what came of it.

It runs in an environment of its own (requirements/readers.txt). Debian's GDAL and QGIS are tried where they are
installed (`apt-get install gdal-bin python3-qgis qgis-providers`); the page keeps its rows of programs that are not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crowds

COLUMNS = ("hotspots.parquet, parts.parquet", "hotspots.geojson, parts.geojson", "labels.parquet, cores.parquet")
FILES = [tuple(names.split(", ")) for names in COLUMNS]
Seen = tuple[str, int]  # what a reader sees in a file ("points" or "table"), and how many rows
Open = Callable[[Path], Seen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cabstand", required=True, help="the Python that has cabstand")
    parser.add_argument("--page", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, n_rows = make(given.cabstand, Path(name))
        rows = {name: row(name, title, folder, n_rows, opener) for name, title, opener in programs()}
    write(given.page, rows)


def make(python: str, home: Path) -> tuple[Path, dict[str, int]]:
    """Cluster, and return the folder of results and the number of rows in each file."""
    trips = crowds.write(home / "trips.parquet")
    out = home / "out"
    command = [python, "-m", "cabstand", "cluster", "--input", trips, "--no-track", "--out", str(out)]
    done = subprocess.run(
        [*command, "--min-samples", "10", "--max-spread-m", "15"],
        env=os.environ | {"CABSTAND_HOME": str(home)}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    result = json.loads(done.stdout)
    spots, parts = result["n_clusters"], result["parts"]["n_parts"]
    assert spots > 0 < parts
    cores = json.loads((out / "manifest.json").read_text())["n_core"]
    return out, {"hotspots": spots, "parts": parts, "labels": result["n_points"], "cores": cores}


def row(name: str, title: str, folder: Path, n_rows: dict[str, int], opener: Open) -> str:
    """Return the table's row of a program."""
    cells = [cell([look(folder / file, n_rows, opener) for file in files]) for files in FILES]
    print(f"{name}: {cells}", file=sys.stderr)
    return f"| {title} | {' | '.join(cells)} |"


def look(path: Path, n_rows: dict[str, int], opener: Open) -> str:
    """Open a file, and check that all of its rows are there."""
    try:
        seen, n_seen = opener(path)
    except Exception as error:
        print(f"  {path.name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
        return "no"
    expected = n_rows[path.stem]
    complete = n_seen == expected or (path.stem == "cores" and 0 < n_seen <= expected)  # coincident ones are one row
    return seen if complete else "no"


def cell(seen: list[str]) -> str:
    assert len(set(seen)) == 1, f"files of one kind are opened differently: {seen}"
    return seen[0]


def programs() -> list[tuple[str, str, Open]]:
    """Return the programs that are here: name, name with version and what it reads with, and how to open a file."""
    found: list[tuple[str, str, Open]] = [
        ("geopandas", f"geopandas {version('geopandas')} (`read_parquet`, `read_file`)", geopandas_opens),
        ("DuckDB", f"DuckDB {version('duckdb')} with `spatial` (`FROM`, `ST_Read`)", duckdb_opens),
        ("lonboard", f"lonboard {version('lonboard')} (`viz` of the Arrow table or of the GeoJSON)", lonboard_opens),
        ("polars", f"polars {version('polars')} (`read_parquet`, `read_json`)", polars_opens),
        ("pandas", f"pandas {version('pandas')} (`read_parquet`, `read_json`)", pandas_opens),
    ]
    if shutil.which("ogrinfo"):
        said = subprocess.run(["ogrinfo", "--version"], capture_output=True, text=True, check=True).stdout
        found.append(("GDAL", f"Debian's GDAL {said.split()[1].rstrip(',')} (`ogrinfo`)", ogrinfo_opens))
    if (qgis := qgis_version()) is not None:
        found.append(("QGIS", f"Debian's QGIS {qgis} (vector layer)", qgis_opens))
    return found


def geopandas_opens(path: Path) -> Seen:
    import geopandas

    frame = geopandas.read_file(path) if path.suffix == ".geojson" else geopandas.read_parquet(path)
    assert frame.crs.to_epsg() == 4326
    assert abs(frame.geometry.x - frame["lon"]).max() < 1e-6
    return "points", len(frame)


def duckdb_opens(path: Path) -> Seen:
    import duckdb

    package = Path(str(importlib.util.find_spec("duckdb_extension_spatial").origin)).parent  # type: ignore[union-attr]
    connection = duckdb.connect()
    connection.execute(f"LOAD '{next(package.rglob('*.duckdb_extension'))}'")
    source = f"ST_Read('{path}')" if path.suffix == ".geojson" else f"'{path}'"
    rows = connection.sql(f"SELECT * FROM {source}")
    column = next((name for name, kind in zip(rows.columns, rows.types, strict=True) if "GEOM" in str(kind)), None)
    if column is None:
        return "table", len(rows)
    far = connection.sql(f"SELECT max(abs(ST_X({column}) - lon)) FROM {source}").fetchall()[0][0]
    assert far < 1e-6
    return "points", len(rows)


def lonboard_opens(path: Path) -> Seen:
    import lonboard
    import pyarrow.parquet as pq

    data = json.loads(path.read_text()) if path.suffix == ".geojson" else pq.read_table(path)
    (layer,) = lonboard.viz(data).layers
    assert isinstance(layer, lonboard.ScatterplotLayer)
    return "points", layer.table.num_rows


def polars_opens(path: Path) -> Seen:
    import polars

    return table(polars.read_json(path) if path.suffix == ".geojson" else polars.read_parquet(path))


def pandas_opens(path: Path) -> Seen:
    import pandas as pd

    return table(pd.read_json(path) if path.suffix == ".geojson" else pd.read_parquet(path))


def table(frame: Any) -> Seen:
    assert {"size", "label", "count"} & set(frame.columns), f"the columns are {list(frame.columns)}"
    return "table", len(frame)


def ogrinfo_opens(path: Path) -> Seen:
    done = subprocess.run(["ogrinfo", "-al", "-so", path], capture_output=True, text=True, check=True)
    assert "Geometry: Point" in done.stdout
    assert "4326" in done.stdout
    return "points", int(done.stdout.split("Feature Count:")[1].split()[0])


def qgis_version() -> str | None:
    code = "from qgis.core import Qgis; print(Qgis.QGIS_VERSION.split('-')[0])"
    python = "/usr/bin/python3"  # the one that Debian's QGIS is for
    if not Path(python).exists():
        return None
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def qgis_opens(path: Path) -> Seen:
    code = (
        "import json, sys\nfrom qgis.core import QgsApplication, QgsVectorLayer, QgsWkbTypes\n"
        "app = QgsApplication([], False)\napp.initQgis()\nlayer = QgsVectorLayer(sys.argv[1], 'layer', 'ogr')\n"
        "assert layer.isValid(), 'the layer is not valid'\n"
        "assert layer.crs().authid() == 'EPSG:4326' and layer.wkbType() == QgsWkbTypes.Point\n"
        "print(layer.featureCount())\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, str(path)], env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    return "points", int(done.stdout)


def write(page: Path, rows: dict[str, str]) -> None:
    """Put the rows into the page's table, each in place of the program's old row."""
    lines = page.read_text().splitlines()
    head = f"| program | {' | '.join(f'`{names}`'.replace(', ', '`, `') for names in COLUMNS)} |"
    start = lines.index(head) + 2
    end = next(number for number in range(start, len(lines) + 1) if number == len(lines) or not lines[number])
    kept = {name: line for line in lines[start:end] for name in order() if f"{name} " in line.split("|")[1]}
    table = [(kept | rows)[name] for name in order() if name in kept | rows]
    page.write_text("\n".join([*lines[:start], *table, *lines[end:]]) + "\n")


def order() -> list[str]:
    return ["geopandas", "DuckDB", "lonboard", "GDAL", "QGIS", "polars", "pandas"]


if __name__ == "__main__":
    main()

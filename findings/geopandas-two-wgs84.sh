#!/usr/bin/env bash
# geopandas 1.2.0: GeoParquet without a `crs` and GeoJSON are both longitude and latitude in WGS 84, and cannot be concatenated.
#
# Seen: the GeoParquet 1.1 specification's default is OGC:CRS84, GDAL gives GeoJSON the code EPSG:4326, and `pd.concat` of the two
# raises "Cannot determine common CRS". With EPSG:4326 named in the Parquet file, whose axis order the specification overrides,
# they go together.
#
# Why it matters: leaving `crs` out is valid and looks tidy, but shuts users of both files out of the simplest step.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check geopandas==1.2.0 pyogrio==0.13.0 pandas==2.3.3 pyarrow==26.0.1 pyproj==3.7.2 shapely==2.1.2

"$work/venv/bin/python" -W ignore - "$work" <<'PYTHON'
import json
import struct
import sys

import geopandas
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

folder = sys.argv[1]
point = {"type": "Point", "coordinates": [-73.98, 40.75]}
with open(f"{folder}/a.geojson", "w") as file:
    json.dump({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": point, "properties": {}}]}, file)
table = pa.table({"geometry": pa.array([struct.pack("<BIdd", 1, 1, *point["coordinates"])], pa.binary())})


def together(**crs):
    """Concatenate a GeoParquet file with this entry in its metadata and the GeoJSON; return whether that works."""
    column = {"encoding": "WKB", "geometry_types": ["Point"], **crs}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), f"{folder}/a.parquet")
    frames = [geopandas.read_parquet(f"{folder}/a.parquet"), geopandas.read_file(f"{folder}/a.geojson")]
    print(f"Parquet {frames[0].crs.to_string()}, GeoJSON {frames[1].crs.to_string()}: ", end="")
    try:
        print(len(pd.concat(frames)), "rows")
    except ValueError as error:
        print(error)
        return False
    return True


sys.exit(together() or not together(crs=CRS.from_epsg(4326).to_json_dict()))
PYTHON
echo "Still so: without a crs, they cannot be concatenated."

"""Read columns of points: WKB or x and y (GeoParquet, GeoArrow), hexadecimal WKB, and WKT with or without an SRID."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.errors import DataError
from cabstand.trips import crs as reference
from cabstand.trips.columns import axes, is_geometry
from cabstand.trips.raw import NULLS, is_text

_WKT = re.compile(
    r"\s*(?:SRID=(\d+);)?\s*(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)\s*(?:Z|M|ZM)?\s*(?:\(|EMPTY)", re.I
)
_HEX_POINT = re.compile(r"(?:0101000[02]|00[02]0000001)[0-9A-F]{20}", re.I)
_LONGEST = 10_000  # bytes of a point's text
POINTS = ("wkb", "wkt", "point")


@dataclass(frozen=True)
class Geometry:
    """A column of points, which is read as a column of latitudes and one of longitudes."""

    column: str
    encoding: str = "wkb"  # of GeoParquet, lower case; whatever is not among `POINTS` holds no points
    crs: str | None = None  # code, WKT or PROJJSON; None: as each value says, or else degrees in WGS84
    is_of_no_crs: bool = False

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the latitudes and longitudes."""
        return axes(self.column)

    @property
    def crs_name(self) -> str | None:
        """Short name of the CRS; None where only the values tell."""
        return None if self.crs is None else reference.name_of(self.crs)

    def check(self) -> None:
        """Raise a DataError if the column holds no points, or its CRS is not known."""
        if self.encoding not in POINTS:
            raise not_a_point(self.encoding)
        if self.is_of_no_crs:
            raise DataError(
                f"the geometries of column {self.column} have no CRS",
                hint="set it and write the file again; geopandas: set_crs",
            )
        reference.name_of(self.crs or reference.WGS84)


def of_schema(schema: pa.Schema) -> list[Geometry]:
    """Return the columns of geometries that a Parquet file declares, the primary one first."""
    geo = _metadata(schema)
    declared = geo.get("columns", {})
    names = sorted(declared, key=lambda name: name != geo.get("primary_column"))
    found = [_declared(name, declared[name]) for name in names if name in schema.names]
    for field in schema:
        if field.name in declared:
            continue
        if (arrow := _extension(field)) is not None:
            found.append(_declared(field.name, arrow))
        elif is_geometry(field.name) and (pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)):
            found.append(Geometry(field.name))
    return found


def of_text(column: str, texts: Sequence[str | None]) -> Geometry | None:
    """Return the geometries that a column of text holds, by its first values; None if it holds something else."""
    first = next((text for text in texts if text), "")
    if _HEX_POINT.match(first):
        return Geometry(column, crs=_crs_in(_from_text(pa.array([first]))[0]))
    wkt = _WKT.match(first)
    if wkt is None:
        return None
    srid, multi, kind = wkt.groups()
    crs = f"EPSG:{srid}" if srid and int(srid) else reference.WGS84
    return Geometry(column, f"{multi or ''}{kind}".lower(), crs)


def physical(wanted: Sequence[str], geometries: Sequence[Geometry]) -> list[str]:
    """Return the columns to read for those `wanted`: geometries instead of their axes, which are checked."""
    source = {axis: geometry for geometry in geometries for axis in geometry.axes}
    for name in wanted:
        if name in source:
            source[name].check()
    return list(dict.fromkeys(source[name].column if name in source else name for name in wanted))


def expand(batch: pa.RecordBatch, geometries: Sequence[Geometry], first: int = 0) -> pa.RecordBatch:
    """Replace the columns of geometries by their axes; `first` is the number of the first row, for errors."""
    if not geometries:
        return batch
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for geometry in geometries:
        if geometry.column in columns:
            values = columns.pop(geometry.column)
            lonlat, known = _lonlat(values, geometry, first)
            for axis, name in zip((1, 0), geometry.axes, strict=True):
                columns[name] = pa.array(np.ascontiguousarray(lonlat[:, axis]), mask=~known)
    return pa.RecordBatch.from_pydict(columns)


def _lonlat(values: pa.Array, geometry: Geometry, first: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return longitudes and latitudes (n, 2), and which are known (n,): null and empty points are not."""
    if pa.types.is_dictionary(values.type):
        if (pc.max(pc.binary_length(values.dictionary)).as_py() or 0) > _LONGEST:
            raise DataError(f"column {geometry.column} holds texts too long for points")
        values = values.dictionary_decode()
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    xy, crs = _coordinates(values, geometry, first)
    known = np.asarray(~np.isnan(xy).all(axis=1))
    lonlat = xy.copy()
    lonlat[known] = reference.to_lonlat(xy[known], crs)
    return lonlat, known


def _coordinates(values: pa.Array, geometry: Geometry, first: int) -> tuple[npt.NDArray[np.float64], str]:
    """Return x and y of points (n, 2), NaN where there is none, and their CRS."""
    crs = geometry.crs or reference.WGS84
    if pa.types.is_struct(values.type) and values.type.get_field_index("x") >= 0:
        x, y = (pc.struct_field(values, name).cast(pa.float64()).fill_null(np.nan) for name in "xy")
        return np.column_stack([x, y]), crs
    if pa.types.is_fixed_size_list(values.type) and pa.types.is_floating(values.type.value_type):
        size = values.type.list_size
        flat = pc.list_flatten(pc.fill_null(values, [np.nan] * size)).cast(pa.float64())
        return np.asarray(flat).reshape(-1, size)[:, :2].copy(), crs
    shapes = _shapes(values, geometry.column, first)
    points, own = _points(shapes, first), _crs_in(shapes)
    if own and geometry.crs and is_text(values.type) and own != geometry.crs:
        raise DataError(f"points of several CRS: {geometry.crs} and {own}", hint="reproject them to one")
    return points, geometry.crs or own or crs


def _shapes(values: pa.Array, column: str, first: int) -> npt.NDArray[np.object_]:
    import shapely

    if is_text(values.type):
        shapes, known = _from_text(values)
    elif pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        shapes = shapely.from_wkb(values.to_numpy(zero_copy_only=False), on_invalid="ignore")
        known = np.asarray(values.is_valid())
    else:
        raise DataError(f"column {column} is of type {values.type}, not of points")
    broken = np.flatnonzero(shapely.is_missing(shapes) & known)
    if len(broken):
        raise DataError(f"column {column} holds no geometry in row {first + broken[0]}")
    return np.asarray(shapes, object)


def _from_text(values: pa.Array) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Return the shapes (n,) of texts, all of WKT or all of hexadecimal WKB, and which texts are not null (n,)."""
    import shapely

    parts = pc.extract_regex(values.cast(pa.string()), r"(?is)^\s*(?:SRID=(?P<srid>\d+);)?\s*(?P<shape>.*?)\s*$")
    texts = pc.if_else(pc.is_in(parts.field("shape"), pa.array(NULLS)), None, parts.field("shape"))
    raw = texts.to_numpy(zero_copy_only=False)
    first = next((text for text in raw if text), "")
    shapes = (shapely.from_wkb if re.match(r"[0-9a-f]", first, re.I) else shapely.from_wkt)(raw, on_invalid="ignore")
    srid = parts.field("srid").fill_null("")
    if pc.any(pc.not_equal(srid, "")).as_py():
        shapes = shapely.set_srid(shapes, np.asarray(pc.if_else(pc.equal(srid, ""), "0", srid).cast(pa.int32())))
    return shapes, np.asarray(texts.is_valid())


def _points(shapes: npt.NDArray[np.object_], first: int) -> npt.NDArray[np.float64]:
    import shapely

    kinds = shapely.get_type_id(shapes)
    other = np.flatnonzero((kinds != shapely.GeometryType.POINT) & (kinds != shapely.GeometryType.MISSING))
    if len(other):
        raise not_a_point(shapes[other[0]].geom_type, first + int(other[0]))
    xy = np.full((len(shapes), 2), np.nan)
    known = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    xy[known] = shapely.get_coordinates(shapes[known])
    return xy


def _crs_in(shapes: npt.NDArray[np.object_]) -> str | None:
    """Return the CRS that shapes name themselves, if they do."""
    import shapely

    codes = np.unique(shapely.get_srid(shapes[~shapely.is_missing(shapes)]))
    if len(codes) > 1:
        raise DataError(f"points of several CRS: SRID {', '.join(map(str, codes[:5]))}", hint="reproject them to one")
    return f"EPSG:{codes[0]}" if len(codes) and codes[0] else None


def not_a_point(kind: str, row: int | None = None) -> DataError:
    """Return the error about geometries of another kind than points, or about that of one row."""
    what = {"linestring": "LineString", "multipoint": "MultiPoint"}.get(
        kind.lower(), kind.title() if kind.islower() else kind
    )
    where = "the geometries are" if row is None else f"the geometry of row {row} is"
    hint = "explode it into points first" if "point" in kind.lower() else "take their centroids first"
    return DataError(f"{where} of type {what}, not Point", hint=hint)


def _metadata(schema: pa.Schema) -> dict[str, Any]:
    try:
        geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
        return geo if isinstance(geo, dict) and isinstance(geo.get("columns", {}), dict) else {}
    except ValueError:
        raise DataError("its `geo` metadata is not JSON", hint="write it as GeoParquet again") from None


def _extension(field: pa.Field) -> dict[str, Any] | None:
    """Return the metadata of a GeoArrow column; None if the column is none."""
    if isinstance(field.type, pa.BaseExtensionType):
        name, text = field.type.extension_name, field.type.__arrow_ext_serialize__()
    else:
        metadata = field.metadata or {}
        name = metadata.get(b"ARROW:extension:name", b"").decode()
        text = metadata.get(b"ARROW:extension:metadata", b"")
    if not name.startswith(("geoarrow.", "ogc.wkb")):
        return None
    found = json.loads(text or b"{}")
    return {"encoding": name.removeprefix("geoarrow."), **found}


def _declared(name: str, column: Any) -> Geometry:
    """Return a column of GeoParquet or GeoArrow; where it names no CRS, it is that of GeoJSON."""
    column = column if isinstance(column, dict) else {}
    kinds = column.get("geometry_types") or []
    encoding = str(column.get("encoding", "WKB")).lower().removeprefix("ogc.")
    if len(kinds) == 1 and not str(kinds[0]).startswith("Point"):
        encoding = str(kinds[0])
    crs = column.get("crs", reference.WGS84)
    text = crs if isinstance(crs, str) or crs is None else json.dumps(crs)
    return Geometry(name, encoding, text, is_of_no_crs=text is None)

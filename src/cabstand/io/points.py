"""Read the points to cluster from tables of trips."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering.columns import End, choose
from cabstand.clustering.marks import Marks, marks
from cabstand.errors import DataError
from cabstand.io import provenance, storage, synthetic, tables
from cabstand.trips.zones import Centroids

_log = logging.getLogger(__name__)


TIME = pa.timestamp("us")
_SCHEMA = pa.schema(
    {"latitude": pa.float64(), "longitude": pa.float64(), "time": TIME, "zone": pa.int32(), "weight": pa.float64()}
)


@dataclass(frozen=True)
class Points:
    """The points to cluster, n of the input's rows."""

    latlon: NDArray[np.float64]  # (n, 2), degrees
    row: NDArray[np.int64]  # (n,), index in the input, from 0
    weight: NDArray[np.float64] | None  # (n,)
    at: NDArray[np.datetime64] | None  # (n,), local time in microseconds; NaT where unknown
    n_rows: int  # of the input
    n_without_place: int  # rows of the input without coordinates, which are not among the points
    uri: str
    sha256: str  # of the input's file, or of the files' hashes if there are several
    by_zone: bool = False  # the points are centroids of taxi zones
    synthetic: bool = False  # the trips were generated

    @property
    def marks(self) -> Marks:
        """What files made from the points must say of them."""
        return marks(synthetic=self.synthetic, by_zone=self.by_zone)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.latlon)


def read(uri: str, end: End = "pickup", *, weight_column: str | None = None, zones_uri: str | None = None) -> Points:
    """Read one end of the trips at a URI, a glob or a folder: canonical, or any table with latitudes and longitudes.

    `zones_uri` is the lake's zones.parquet, whose centroids are used for trips that have zones instead of coordinates.
    """
    files = [_read_file(file, end, weight_column) for file in tables.expand(uri)]
    table = pa.concat_tables([file.table for file in files])
    by_zone = table.column("latitude").null_count == len(table) and table.column("zone").null_count < len(table)
    if by_zone:
        table = _locate_zones(table, zones_uri, uri)
        _log.warning("%s: the trips name zones only: each point is a zone's centroid, not a place of pickup", uri)
    has_coordinates = pc.and_(pc.is_valid(table.column("latitude")), pc.is_valid(table.column("longitude")))
    row = np.flatnonzero(has_coordinates).astype(np.int64)
    if len(row) == 0:
        raise DataError("no row has coordinates" if len(table) else "no rows", where=uri)
    n_rows, n_without = len(table), len(table) - len(row)
    if n_without:
        _log.warning("%d of %d rows have no coordinates and are left out", n_without, n_rows)
        table = table.filter(has_coordinates)
    latlon = np.column_stack([table.column("latitude"), table.column("longitude")])
    check_latlon(latlon, row, uri)
    hashes = [file.sha256 for file in files]
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    made = any(file.synthetic for file in files)
    weight = _weight(table, uri) if weight_column else None
    return Points(latlon, row, weight, _times(table), n_rows, n_without, uri, sha256, by_zone, made)


class _File(NamedTuple):
    """What was read from one file: a table of `_SCHEMA`, the file's hash, and whether its trips were generated."""

    table: pa.Table
    sha256: str
    synthetic: bool


def _read_file(uri: str, end: End, weight: str | None) -> _File:
    with storage.fetched(uri) as path:
        table = tables.read(path, uri, lambda names: choose(names, end, weight=weight, where=uri).named)
        sha256 = provenance.sha256_file(path)
    columns = choose(table.column_names, end, weight=weight, where=uri)
    arrays = [_cast(table, getattr(columns, field.name), field.type, uri) for field in _SCHEMA]
    return _File(pa.Table.from_arrays(arrays, schema=_SCHEMA), sha256, synthetic.of_schema(table.schema))


def understood_time(name: str | None, schema: pa.Schema, uri: str) -> str | None:
    """Return the name of the column of times; None, with a warning, if it holds something else."""
    if name is None or pa.types.is_timestamp(schema.field(name).type):
        return name
    _log.warning("%s: unrecognised time format in %s; hourly shares are omitted", uri, name)
    return None


def _cast(table: pa.Table, name: str | None, kind: pa.DataType, uri: str) -> pa.Array | pa.ChunkedArray:
    if name is None or (kind == TIME and understood_time(name, table.schema, uri) is None):
        return pa.nulls(len(table), kind)
    try:
        return table.column(name).cast(kind, safe=False)
    except pa.ArrowException as error:
        raise DataError(f"column {name} is not a number: {str(error).splitlines()[0][:200]}", where=uri) from error


def _locate_zones(table: pa.Table, zones_uri: str | None, uri: str) -> pa.Table:
    """Give each trip the coordinates of its zone's centroid."""
    if zones_uri is None or not storage.exists(zones_uri):
        raise DataError(
            "the trips have zones instead of coordinates, and the lake has no zones",
            where=uri,
            hint="run `cabstand zones`, or ingest with zones",
        )
    with storage.fetched(zones_uri) as path:
        centroids = Centroids(pq.read_table(path))
    latlon = centroids.locate(table.column("zone").fill_null(-1).to_numpy())
    for axis, column in enumerate(("latitude", "longitude")):
        values = pa.array(latlon[:, axis], from_pandas=True)  # NaN, for a zone without a centroid, becomes null
        table = table.set_column(table.schema.get_field_index(column), column, values)
    return table


def check_latlon(latlon: NDArray[np.float64], row: NDArray[np.int64], uri: str) -> None:
    """Raise a DataError at the first coordinate (n, 2; degrees) not finite or out of range; it names the `row` (n,)."""
    for wrong, what in (
        (~np.isfinite(latlon).all(axis=1), "a coordinate is NaN or infinite"),
        (np.abs(latlon[:, 0]) > 90, "a latitude is beyond 90 degrees"),
        (np.abs(latlon[:, 1]) > 360, "a longitude is beyond 360 degrees"),
    ):
        if wrong.any():
            raise DataError(
                f"{what} in row {row[np.flatnonzero(wrong)[0]]}",
                where=uri,
                hint="`cabstand ingest` quarantines such rows",
            )


def _weight(table: pa.Table, uri: str) -> NDArray[np.float64]:
    weight: NDArray[np.float64] = table.column("weight").fill_null(float("nan")).to_numpy()
    if not np.isfinite(weight).all():
        raise DataError("a weight is missing, NaN or infinite", where=uri)
    return weight


def _times(table: pa.Table) -> NDArray[Any] | None:
    column = table.column("time")
    return None if column.null_count == len(column) else column.to_numpy()

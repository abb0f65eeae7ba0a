"""Points to cluster, read from tables of trips."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering.columns import Columns, End, choose
from cabstand.errors import DataError
from cabstand.io import provenance, storage, tables
from cabstand.trips.zones import Centroids

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Points:
    """What is clustered.

    Attributes
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Latitude and longitude in degrees.
    row : ndarray of int64, shape (n,)
        Place of each among the rows of the input, from 0.
    weight : ndarray of float64, shape (n,), optional
    at : ndarray of datetime64[us], shape (n,), optional
        Local time; NaT where unknown.
    n_rows : int
        Rows of the input.
    n_without_place : int
        Rows of it that have no coordinates (null), and so are not among the points.
    uri, sha256 : str
        Where it was read from; the hash of the file, or of the files' hashes where there are several.
    by_zone : bool
        Whether the places are centroids of taxi zones.
    synthetic : bool
        Whether the trips were made, not driven.
    """

    latlon: NDArray[np.float64]
    row: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    at: NDArray[np.datetime64] | None
    n_rows: int
    n_without_place: int
    uri: str
    sha256: str
    by_zone: bool = False
    synthetic: bool = False

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.latlon)


def read(uri: str, end: End = "pickup", *, weight_column: str | None = None, zones_uri: str | None = None) -> Points:
    """Read the points of a URI, a glob or a folder.

    Parameters
    ----------
    uri : str
        Canonical trips, or any Parquet or CSV with latitude and longitude columns.
    end : {"pickup", "dropoff"}
        Which end of the trips.
    weight_column : str, optional
        Column of weights.
    zones_uri : str, optional
        The lake's zones.parquet, whose centroids serve trips that know their zone alone.

    Raises
    ------
    DataError
        If there is no file or no point, or a coordinate is not a number, or no place on the Earth.
    ConfigError
        If the weight column is unknown.
    """
    files = tables.expand(uri)
    read_all = [_read_file(file, end, weight_column) for file in files]
    merged = pa.concat_tables([table for table, _, _ in read_all])
    hashes = [sha256 for _, sha256, _ in read_all]
    by_zone = merged.column("latitude").null_count == len(merged) and merged.column("zone").null_count < len(merged)
    if by_zone:
        merged = _place_zones(merged, zones_uri, uri)
    known = pc.and_(pc.is_valid(merged.column("latitude")), pc.is_valid(merged.column("longitude")))
    mask = np.asarray(known.combine_chunks())
    kept = merged if mask.all() else merged.filter(known)
    if len(kept) == 0:
        raise DataError("no row has coordinates" if len(merged) else "no rows", where=uri)
    row = np.flatnonzero(mask).astype(np.int64)
    points = Points(
        latlon=_latlon(kept, row, uri),
        row=row,
        weight=_weight(kept, uri) if weight_column else None,
        at=_times(kept),
        n_rows=len(merged),
        n_without_place=len(merged) - len(kept),
        uri=uri,
        sha256=hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
        by_zone=by_zone,
        synthetic=any(synthetic for _, _, synthetic in read_all),
    )
    if points.n_without_place:
        _log.warning("%d of %d rows have no coordinates and are left out", points.n_without_place, points.n_rows)
    return points


TIME = pa.timestamp("us")
_SCHEMA = pa.schema(
    [
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("time", TIME),
        ("zone", pa.int32()),
        ("weight", pa.float64()),
    ]
)


def _read_file(uri: str, end: End, weight: str | None) -> tuple[pa.Table, str, bool]:
    columns: list[Columns] = []

    def pick(names: list[str], where: str) -> Sequence[str]:
        columns.append(choose(names, end, weight=weight, where=where))
        return columns[0].named

    with storage.fetched(uri) as path:
        table = tables.read(path, uri, pick)
        sha256 = provenance.sha256_file(path)
    arrays = [
        _cast(table, getattr(columns[0], field.name), field.type, uri)
        if getattr(columns[0], field.name)
        else pa.nulls(len(table), field.type)
        for field in _SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA), sha256, is_synthetic(table.schema)


def is_synthetic(schema: pa.Schema) -> bool:
    """Say whether a file of this schema holds trips that were made, not driven."""
    return (schema.metadata or {}).get(b"cabstand.synthetic") == b"true"


def understood_time(name: str | None, schema: pa.Schema, uri: str) -> str | None:
    """Return the name of the column of times, or None, with a warning, if it holds something else."""
    if name is None or pa.types.is_timestamp(schema.field(name).type):
        return name
    _log.warning("%s: times in %s are not understood; no shares by hour", uri, name)
    return None


def _cast(table: pa.Table, name: str, kind: pa.DataType, uri: str) -> pa.ChunkedArray:
    column = table.column(name)
    if pa.types.is_timestamp(kind):
        if understood_time(name, table.schema, uri) is None:
            return pa.chunked_array([pa.nulls(len(table), kind)])
        return column.cast(kind, safe=False)
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowException as error:
        raise DataError(f"column {name} is not a number: {str(error).splitlines()[0][:200]}", where=uri) from error


def _place_zones(table: pa.Table, zones_uri: str | None, uri: str) -> pa.Table:
    """Put each trip at the centroid of its zone."""
    if zones_uri is None or not storage.exists(zones_uri):
        raise DataError(
            "the trips know their zone alone, and the lake has no zones",
            where=uri,
            hint="run `cabstand zones`, or ingest with zones",
        )
    with storage.fetched(zones_uri) as path:
        centroids = Centroids(pq.read_table(path))
    places = centroids.locate(table.column("zone").fill_null(-1).to_numpy())
    for axis, column in enumerate(("latitude", "longitude")):
        placed = pa.array(places[:, axis], from_pandas=True)  # NaN: a zone without a place
        table = table.set_column(table.schema.get_field_index(column), column, placed)
    return table


def _latlon(table: pa.Table, row: NDArray[np.int64], uri: str) -> NDArray[np.float64]:
    latlon = np.column_stack([table.column("latitude").to_numpy(), table.column("longitude").to_numpy()])
    check_latlon(latlon, row, uri)
    return latlon


def check_latlon(latlon: NDArray[np.float64], row: NDArray[np.int64], uri: str) -> None:
    """Raise DataError at the first row that is no place on the Earth.

    Parameters
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Degrees.
    row : ndarray of int64, shape (n,)
        Number of each row, for the error.
    uri : str
        The input, for the error.
    """
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

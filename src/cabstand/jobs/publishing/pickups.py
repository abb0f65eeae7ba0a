"""The pickups under a published clustering, by place and hour of the week, for the maps of pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.errors import CabstandError
from cabstand.io import points, storage, zones
from cabstand.io.points import Points
from cabstand.report import density
from cabstand.report.content import Json
from cabstand.settings import Settings
from cabstand.trips.columns import Named

MOST_POINTS = 20_000_000  # read at once: about 2 GB
_log = logging.getLogger(__name__)


class Pickups(NamedTuple):
    """What a map shows of the pickups; nothing where they cannot be read any more."""

    raster: density.Raster | None = None
    week: Sequence[int] = ()  # by hour of the week
    weeks: str | None = None  # packed counts, in the order in which the hotspots were given


def read(settings: Settings, folder: str, clustering: Json, spots: Sequence[Json]) -> Pickups:
    """Return the density of the points clustered, and the hours of `spots`; a warning says where they have gone."""
    if clustering["n_points"] > MOST_POINTS:
        _log.warning("%s: more than %d points are not drawn on a map", folder, MOST_POINTS)
        return Pickups()
    try:
        found = _points(settings, clustering)
    except CabstandError as error:
        _log.warning("the map has no density of pickups: %s", error)
        return Pickups()
    if found.sha256 != clustering["source"]["sha256"]:
        _log.warning("the map has no density of pickups: %s has changed since it was clustered", found.uri)
        return Pickups()
    hour = None if found.at is None else density.hour_of_week(found.at)
    raster = None if found.by_zone else density.rasterise(found.latlon, hour, found.weight)
    if hour is None or not len(spots):
        return Pickups(raster)
    labels = _labels(folder, clustering)
    counts = density.weeks(labels, hour, found.weight, [spot["id"] for spot in spots])
    return Pickups(raster, density.week(hour, found.weight), density.packed_weeks(counts))


def _points(settings: Settings, clustering: Json) -> Points:
    """Read the points as they were read to be clustered."""
    named: Mapping[str, Any] = clustering
    return points.read(
        clustering["source"]["uri"],
        clustering.get("end", "pickup"),
        weight_column=clustering.get("weight_column"),
        zones_uri=zones.table_uri(settings.lake_uri),
        named=Named(named.get("lat_column"), named.get("lon_column"), named.get("time_column")),
        era=named.get("era"),
    )


def _labels(folder: str, clustering: Json) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the labels in the order of the points; Dask's workers write a file for each input file."""
    names = [storage.join("labels", name) for name in clustering.get("labels", ())] or ["labels.parquet"]
    tables = []
    for name in names:
        with storage.fetched(storage.join(folder, name)) as path:
            tables.append(pq.read_table(path, columns=["label"]))
    return np.asarray(pa.concat_tables(tables)["label"].to_numpy())

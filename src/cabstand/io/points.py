"""Read the points to cluster from tables of trips."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering.columns import End
from cabstand.clustering.marks import Marks, marks
from cabstand.errors import ConfigError, DataError
from cabstand.io import point_files, provenance, storage, synthetic, tables
from cabstand.io.point_files import PointFile, Rows
from cabstand.trips import places
from cabstand.trips.columns import BY_ALIAS, Named
from cabstand.trips.eras import COORDINATES, ZONES
from cabstand.trips.places import MISSING, Tally
from cabstand.trips.raw import reading
from cabstand.trips.times import merge_zones, shown_zones
from cabstand.trips.zones import Centroids

_log = logging.getLogger(__name__)

OTHER_ERA, NO_CENTROID = "other_era", "zone_without_centroid"


@dataclass(frozen=True)
class Points:
    """The points to cluster, n of the input's rows."""

    latlon: NDArray[np.float64]  # (n, 2), degrees
    row: NDArray[np.int64]  # (n,), index in the input, from 0
    weight: NDArray[np.float64] | None  # (n,)
    at: NDArray[np.datetime64] | None  # (n,), local time in microseconds; NaT where unknown
    n_rows: int  # of the input
    n_without_place: int  # rows of the input that are not among the points
    uri: str
    sha256: str  # of the input's file, or of the files' hashes if there are several
    by_zone: bool = False  # the points are centroids of taxi zones
    synthetic: bool = False  # the trips were generated
    put_aside: dict[str, int] = field(default_factory=dict)  # rows that are not among the points, by reason
    times_converted: dict[str, str] = field(default_factory=dict)  # columns of times that had a zone
    crs: str | None = None  # of the file's points, if it has a column of points

    @property
    def marks(self) -> Marks:
        """What files made from the points must say of them."""
        return marks(synthetic=self.synthetic, by_zone=self.by_zone)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.latlon)

    @property
    def reading(self) -> dict[str, Any]:
        """What was put aside or converted, for manifests and results."""
        return {"put_aside": self.put_aside, "times_converted": self.times_converted, "crs": self.crs}

    @property
    def source(self) -> dict[str, Any]:
        """What manifests and results say of the input."""
        kind = {"by_zone": self.by_zone, "synthetic": self.synthetic}
        return {"uri": self.uri, "sha256": self.sha256, **kind, **self.reading}


class Asked(Protocol):
    """The parameters of a job that say what to read."""

    @property
    def input(self) -> str: ...  # noqa: D102
    @property
    def end(self) -> End: ...  # noqa: D102
    @property
    def weight_column(self) -> str | None: ...  # noqa: D102
    @property
    def named(self) -> Named: ...  # noqa: D102
    @property
    def era(self) -> str | None: ...  # noqa: D102


def read_as(asked: Asked, zones_uri: str) -> Points:
    """Read what a job's parameters ask for; see `read`."""
    return read(
        asked.input,
        asked.end,
        weight_column=asked.weight_column,
        zones_uri=zones_uri,
        named=asked.named,
        era=asked.era,
    )


def read(
    uri: str,
    end: End = "pickup",
    *,
    weight_column: str | None = None,
    zones_uri: str | None = None,
    named: Named = BY_ALIAS,
    era: str | None = None,
) -> Points:
    """Read one end of the trips at a URI, a glob or a folder: canonical, or any table with latitudes and longitudes.

    `zones_uri` is the lake's zones.parquet, whose centroids are used for trips that have zones instead of coordinates.
    Input with trips of both kinds is refused, unless `era` chooses one of them.
    """
    files, hashes = [], []
    for file in tables.expand(uri):
        with storage.fetched(file) as path:
            files.append(point_files.read(path, file, end, weight_column, named))
            hashes.append(provenance.sha256_file(path))
    pa.default_memory_pool().release_unused()
    tally = places.add_up([file.tally for file in files])
    with reading(uri):
        tally.check()
        by_zone = is_by_zone({file.uri: (len(file.located), len(file.zoned)) for file in files}, era)
    rows, aside = _choose(files, tally, zones_uri, uri, by_zone=by_zone)
    if not len(rows):
        raise DataError(_why_none(tally), where=uri)
    points = Points(
        latlon=rows.where,
        row=rows.row,
        weight=_weight(rows, uri) if weight_column else None,
        at=None if rows.at is None or np.isnat(rows.at).all() else rows.at,
        n_rows=tally.n_rows,
        n_without_place=tally.n_rows - len(rows),
        uri=uri,
        sha256=hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
        by_zone=by_zone,
        synthetic=any(synthetic.of_schema(file.schema) for file in files),
        put_aside=aside,
        times_converted=shown_zones(merge_zones(file.zones for file in files)),
        crs=next((file.crs for file in files if file.crs), None),
    )
    _log_what_changed(points, files)
    return points


def parameters(named: Named, era: str | None) -> dict[str, str]:
    """Return what the user said of the input, for a run key; nothing where nothing was said."""
    return named.parameters | ({} if era is None else {"era": era})


def reading_of(source: dict[str, Any]) -> dict[str, Any]:
    """Return `Points.reading` from what a manifest says of the source; older ones lack it."""
    empty: dict[str, Any] = {"put_aside": {}, "times_converted": {}, "crs": None}
    return {name: source.get(name, value) for name, value in empty.items()}


def is_by_zone(counts: dict[str, tuple[int, int]], era: str | None) -> bool:
    """Return whether to place trips by their zones.

    `counts` has the numbers of rows with coordinates and of those with a zone alone, of each file. If both occur, a
    DataError asks for the `era`; ConfigError if that is unknown.
    """
    if era not in {None, COORDINATES, ZONES}:
        raise ConfigError(f"unknown era {str(era)[:40]!r}", where="--era", hint=f"{COORDINATES} or {ZONES}")
    n_located, n_zoned = (sum(column) for column in zip(*counts.values(), strict=True))
    if era is not None:
        return bool(era == ZONES)
    if n_located and n_zoned:
        located, zoned = (next(uri for uri, pair in counts.items() if pair[which]) for which in (0, 1))
        raise DataError(
            f"mixes eras: {n_located:,} rows have coordinates, as in {_name(located)}, and {n_zoned:,} have only a"
            f" zone, as in {_name(zoned)}",
            hint=f"--era {COORDINATES} or --era {ZONES} chooses one",
        )
    return bool(n_zoned > 0)


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _choose(
    files: Sequence[PointFile], tally: Tally, zones_uri: str | None, uri: str, *, by_zone: bool
) -> tuple[Rows, dict[str, int]]:
    """Return the rows that are points, with coordinates, and how many are put aside for each reason."""
    n_zoned, aside = sum(len(file.zoned) for file in files), dict(tally.put_aside)
    chosen = []
    first = 0
    for file in files:
        part = file.zoned if by_zone else file.located
        chosen.append(replace(part, row=part.row + first) if first else part)
        first += file.tally.n_rows
    rows = chosen[0] if len(chosen) == 1 else point_files.join(chosen)
    aside[MISSING] = aside.get(MISSING, 0) - n_zoned
    if not by_zone:
        aside[OTHER_ERA] = n_zoned
        return rows, {reason: count for reason, count in aside.items() if count}
    if not n_zoned:
        raise DataError("the trips have coordinates and no zones", where=uri, hint="leave out --era")
    latlon = _centroids(rows.where, zones_uri, uri)
    known = np.isfinite(latlon).all(axis=1)
    aside |= {OTHER_ERA: sum(len(file.located) for file in files), NO_CENTROID: int((~known).sum())}
    at, weight = None if rows.at is None else rows.at[known], None if rows.weight is None else rows.weight[known]
    return Rows(rows.row[known], latlon[known], at, weight), {reason: count for reason, count in aside.items() if count}


def _centroids(zone: NDArray[Any], zones_uri: str | None, uri: str) -> NDArray[np.float64]:
    """Return the coordinates (n, 2) of the zones' centroids, NaN for a zone without one."""
    if zones_uri is None or not storage.exists(zones_uri):
        raise DataError(
            "the trips have zones instead of coordinates, and the lake has no zones",
            where=uri,
            hint="run `cabstand zones`, or ingest with zones",
        )
    with storage.fetched(zones_uri) as path:
        return Centroids(pq.read_table(path)).locate(zone)


def _why_none(tally: Tally) -> str:
    if not tally.n_rows:
        return "no rows"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.put_aside.items())
    return f"no row has coordinates ({reasons})"


def _weight(rows: Rows, uri: str) -> NDArray[np.float64]:
    if rows.weight is None or not np.isfinite(rows.weight).all():
        raise DataError("a weight is missing, NaN or infinite", where=uri)
    return rows.weight


def _log_what_changed(points: Points, files: Sequence[PointFile]) -> None:
    if points.by_zone:
        _log.warning(
            "%s: the trips name zones only: each point is a zone's centroid, not a place of pickup", points.uri
        )
    if points.put_aside:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in points.put_aside.items())
        _log.warning("%d of %d rows are left out: %s", points.n_without_place, points.n_rows, reasons)
    for file in files:
        for name, count in file.unknown_times.items():
            if points.at is None:
                _log.warning("%s: unrecognised time format in %s; hourly shares are omitted", file.uri, name)
            else:
                _log.warning("%s: %d values of %s are no times; they count in no hour", file.uri, count, name)
    for name, zones in points.times_converted.items():
        _log.warning("times of %s converted from %s", name, zones)
    if points.crs not in {None, "OGC:CRS84", "EPSG:4326"}:
        _log.warning("points converted from %s to latitudes and longitudes", points.crs)

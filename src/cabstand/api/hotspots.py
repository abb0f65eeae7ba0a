"""Hotspots as answers: the one near a point, and all of them as GeoJSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.api.errors import ApiError
from cabstand.api.model import Model
from cabstand.api.schemas import COORDINATES, Row, RowSchema
from cabstand.api.store import ModelStore
from cabstand.clustering.core_index import CoreIndex

Box = tuple[float, float, float, float]
NAME = "hotspots"
POINT = RowSchema(COORDINATES)
DECIMALS = 6
NOT_A_BOX = "write west,south,east,north in degrees, smaller first"


def champion(store: ModelStore) -> tuple[Model, CoreIndex]:
    """Return the champion that has hotspots, of the first problem by name, and its index; a 404 if none has."""
    store.require_ready()
    for _, served in sorted(store.served.items()):
        if served.champion.hotspots is not None:
            return served.champion, served.champion.hotspots
    raise ApiError(404, "no-hotspots", "no bundle in force has hotspots")


def nearest(index: CoreIndex, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each point its hotspot and the metres to the nearest core point of that, or null for both."""
    points = np.array([(row["lat"], row["lon"]) for row in rows], float)
    clusters, metres = index.query(points)
    return [
        {"hotspot": cluster, "distance_m": round(distance, 3)}
        if cluster >= 0
        else {"hotspot": None, "distance_m": None}
        for cluster, distance in zip(clusters.tolist(), metres.tolist(), strict=True)
    ]


class Summary:
    """The h hotspots of an index, sorted by id.

    `ids` and `n_core` (distinct core points) are int (h,); `lat` and `lon`, the mean of the core points, are float (h,)
    in degrees; `boxes` is float (h, 4): west, south, east, north.
    """

    def __init__(self, index: CoreIndex) -> None:
        order = np.argsort(index.clusters, kind="stable")
        points, clusters = index.points[order], index.clusters[order]
        self.ids, starts, self.n_core = np.unique(clusters, return_index=True, return_counts=True)
        if not len(self.ids):
            self.lat = self.lon = np.empty(0)
            self.boxes: NDArray[np.float64] = np.empty((0, 4))
            return
        low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
        means = np.add.reduceat(points, starts) / self.n_core[:, None]
        self.lat, self.lon = means.T
        self.boxes = np.column_stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]])

    def page(self, box: Box | None, after: int, limit: int) -> tuple[list[int], bool]:
        """Return the rows of this summary whose hotspots touch `box`, and whether more follow."""
        wanted = self.ids > after
        if box is not None:
            west, south, east, north = box
            wanted &= (self.boxes[:, 0] <= east) & (self.boxes[:, 2] >= west)
            wanted &= (self.boxes[:, 1] <= north) & (self.boxes[:, 3] >= south)
        found = np.flatnonzero(wanted)[: limit + 1].tolist()
        return found[:limit], len(found) > limit

    def feature(self, row: int) -> dict[str, Any]:
        """Return one hotspot as a GeoJSON feature."""
        centre = [round(float(self.lon[row]), DECIMALS), round(float(self.lat[row]), DECIMALS)]
        return {
            "type": "Feature",
            "id": int(self.ids[row]),
            "bbox": np.round(self.boxes[row], DECIMALS).tolist(),
            "geometry": {"type": "Point", "coordinates": centre},
            "properties": {"hotspot": int(self.ids[row]), "n_core_points": int(self.n_core[row])},
        }


@lru_cache(maxsize=2)
def summary(index: CoreIndex) -> Summary:
    """Return the summary of an index, made when first asked for."""
    return Summary(index)


def parse_box(text: str) -> Box:
    """Return `west,south,east,north` in degrees, or raise a ValueError."""
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise ValueError(NOT_A_BOX) from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(NOT_A_BOX)
    return west, south, east, north

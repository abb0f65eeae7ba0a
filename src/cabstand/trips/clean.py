"""Decide which rows are quarantined, and why: each for the first reason in `REASONS` that applies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.tlc import LAST_ZONE

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

REASONS: dict[str, str] = {
    "malformed_row": "the line has another number of fields than the rest of the file",
    "unreadable_value": "a value is not a number or date of its column",
    "time_missing": "pickup or dropoff time is null",
    "stray_date": "the pickup is outside the month",
    "location_missing": "a zone or coordinate is null",
    "location_unknown": f"a zone is not 1 to {LAST_ZONE}",
    "coordinates_zero": "a latitude or longitude is exactly 0",
    "coordinates_invalid": "a coordinate is NaN, infinite, or no latitude or longitude at all",
    "coordinates_out_of_area": "a coordinate is outside the area around New York",
    "duration_not_positive": "the dropoff is not after the pickup",
    "duration_absurd": "the trip lasted longer than a shift can",
    "distance_missing": "the distance is null or NaN in a file that has distances",
    "distance_not_positive": "the distance is zero or less",
    "distance_absurd": "the distance is longer than a cab ride can be",
    "speed_absurd": "the average speed is beyond any car's",
    "duplicate": "every column equals an earlier row's (never applied to Uber pickups, which are rounded)",
}
_CODE = {name: code for code, name in enumerate(REASONS, start=1)}


@dataclass(frozen=True)
class TripBounds:
    """Bounds of what counts as a trip: an area in degrees, about 150 km around Manhattan, and the most extreme ride."""

    south: float = 39.5
    north: float = 42.5
    west: float = -75.5
    east: float = -71.5
    max_duration_h: float = 6.0
    max_distance_km: float = 300.0
    max_speed_kmh: float = 200.0


@dataclass(frozen=True)
class Contract:
    """What a row must satisfy to count as a trip."""

    needed: tuple[str, ...]  # columns in which a null is an error; the others are not checked
    month: str  # YYYY-MM in which the pickup must lie
    refuse_duplicates: bool  # a row that equals an earlier one is quarantined
    bounds: TripBounds = TripBounds()


def names_of(codes: Codes) -> pa.Array:
    """Return the reasons' names of `codes`, all of them above 0."""
    return pa.array(["", *REASONS]).take(pa.array(codes.astype(np.int32)))


def classify(trips: pa.RecordBatch, unreadable: Mask, contract: Contract) -> Codes:
    """Return the reason code of each of n rows, its position in `REASONS` counted from 1; 0 is a good row.

    `unreadable` (n,) marks rows in which some value could not be read.
    """
    codes = np.zeros(trips.num_rows, np.uint8)
    _mark(codes, unreadable, "unreadable_value")
    _check_times(codes, trips, contract)
    _check_zones(codes, trips, contract)
    _check_coordinates(codes, trips, contract)
    if "dropoff_at" in contract.needed:
        _check_ride(codes, trips, contract.bounds)
    return codes


def _mark(codes: Codes, mask: Mask, reason: str) -> None:
    codes[mask & (codes == 0)] = _CODE[reason]


def _null(trips: pa.RecordBatch, name: str) -> Mask:
    return np.asarray(trips.column(name).is_null())


def floats(trips: pa.RecordBatch, name: str) -> npt.NDArray[np.float64]:
    """Return a column as float64, null as NaN."""
    return np.asarray(trips.column(name).cast(pa.float64()).fill_null(np.nan))


def instants(trips: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    """Return a timestamp column as microseconds since 1970, null as 0."""
    return np.asarray(trips.column(name).cast(pa.int64()).fill_null(0))


def _check_times(codes: Codes, trips: pa.RecordBatch, contract: Contract) -> None:
    for name in ("pickup_at", "dropoff_at"):
        if name in contract.needed:
            _mark(codes, _null(trips, name), "time_missing")
    month = np.datetime64(contract.month, "M")
    first, after = (start.astype("datetime64[us]").astype(np.int64) for start in (month, month + 1))
    pickup = instants(trips, "pickup_at")
    _mark(codes, (pickup < first) | (pickup >= after), "stray_date")


def _check_zones(codes: Codes, trips: pa.RecordBatch, contract: Contract) -> None:
    names = [name for name in ("pickup_zone", "dropoff_zone") if name in contract.needed]
    for name in names:
        _mark(codes, _null(trips, name), "location_missing")
    for name in names:
        zone = np.asarray(trips.column(name).fill_null(0))
        _mark(codes, (zone < 1) | (zone > LAST_ZONE), "location_unknown")


def _check_coordinates(codes: Codes, trips: pa.RecordBatch, contract: Contract) -> None:
    area = contract.bounds
    bounds = {"lat": (90.0, area.south, area.north), "lon": (180.0, area.west, area.east)}
    names = [name for name in contract.needed if name[-3:] in bounds]
    values = {name: floats(trips, name) for name in names}
    for name in names:
        _mark(codes, _null(trips, name), "location_missing")
    for value in values.values():
        _mark(codes, value == 0, "coordinates_zero")
    for name, value in values.items():
        _mark(codes, ~(np.abs(value) <= bounds[name[-3:]][0]), "coordinates_invalid")
    for name, value in values.items():
        _, low, high = bounds[name[-3:]]
        _mark(codes, ~((value >= low) & (value <= high)), "coordinates_out_of_area")


def _check_ride(codes: Codes, trips: pa.RecordBatch, bounds: TripBounds) -> None:
    hours = (instants(trips, "dropoff_at") - instants(trips, "pickup_at")) / 3.6e9
    km = floats(trips, "distance_km")
    _mark(codes, hours <= 0, "duration_not_positive")
    _mark(codes, hours > bounds.max_duration_h, "duration_absurd")
    _mark(codes, np.isnan(km), "distance_missing")
    _mark(codes, km <= 0, "distance_not_positive")
    _mark(codes, km > bounds.max_distance_km, "distance_absurd")
    _mark(codes, km > hours * bounds.max_speed_kmh, "speed_absurd")

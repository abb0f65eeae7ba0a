"""The reference figures of trip files, computed the way they were published.

Duration in minutes from the file's own times, kept from 1 to 60 inclusive; pick-up and drop-off LocationID as two
one-hot fields; ordinary least squares; RMSE on the same rows. The raw file is read, not the cleaned lake: a cleaner
row is another population.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling.coded import fit_one_hot

TIMES = (("lpep_pickup_datetime", "lpep_dropoff_datetime"), ("tpep_pickup_datetime", "tpep_dropoff_datetime"))
ZONES = ("PULocationID", "DOLocationID")
FOREST_PROTOCOL = (
    "raw file; minutes from 1 to 60 inclusive; 40 trees of 5 rows a leaf or more on both LocationIDs, distance, "
    "hour, weekday and month; random fifth held out (seed 42). The source publishes ranges and no protocol"
)
Minutes = npt.NDArray[np.float64]
Moments = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Figures:
    """What a file gives.

    Attributes
    ----------
    rows, kept, columns : int
        Rows in the file, rows of 1 to 60 minutes, distinct one-hot columns.
    intercept, rmse : float
        Of the least-norm fit, in minutes.
    artifact_bytes : int
        Size of intercept and coefficients as float64 in a NumPy file.
    """

    rows: int
    kept: int
    columns: int
    intercept: float
    rmse: float
    artifact_bytes: int


def figures(path: Path) -> Figures:
    """Return the figures of a TLC file.

    Raises
    ------
    DataError
        If it is not Parquet or lacks a column.
    """
    table, _, minutes = _read(path, ZONES)
    kept = _kept(minutes, path)
    blocks = [table[name].to_numpy()[kept].astype(np.int64) for name in ZONES]
    return _fit(blocks[0], blocks[1], minutes[kept], len(minutes))


def forest(path: Path) -> dict[str, float]:
    """Return R2 and MAE (min) of a random forest by `FOREST_PROTOCOL`.

    Raises
    ------
    DataError
        If the file is not Parquet or lacks a column.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import mean_absolute_error, r2_score
    from sklearn.model_selection import train_test_split

    from cabstand.modelling.problems.trip_duration import calendar

    table, start, minutes = _read(path, (*ZONES, "trip_distance"))
    kept = _kept(minutes, path)
    hour, weekday, month = calendar(start[kept].astype("M8[s]"))
    told = [table[name].to_numpy()[kept] for name in (*ZONES, "trip_distance")]
    matrix = np.stack([*told, np.floor(hour), weekday, month], axis=1).astype(np.float32)
    known, unseen, target, truth = train_test_split(matrix, minutes[kept], test_size=0.2, random_state=42)
    model = RandomForestRegressor(40, min_samples_leaf=5, max_features=0.6, random_state=42).fit(known, target)
    predicted = model.predict(unseen)
    return {"R2": float(r2_score(truth, predicted)), "MAE": float(mean_absolute_error(truth, predicted))}


def _read(path: Path, wanted: Sequence[str]) -> tuple[Any, Moments, Minutes]:
    """Return the wanted columns, pick-up times and durations in minutes of every row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = set(file.schema_arrow.names)
        times = next((pair for pair in TIMES if set(pair) <= names), None)
        if times is None or not set(wanted) <= names:
            raise DataError("not a trip file with times and LocationIDs", where=path)
        table = file.read(columns=[*times, *wanted])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"not a readable Parquet file: {str(error)[:100]}", where=path) from error
    start, end = (table[name].to_numpy().astype("M8[us]") for name in times)
    return table, start, (end - start) / np.timedelta64(60_000_000, "us")


def _kept(minutes: Minutes, path: Path) -> npt.NDArray[np.bool_]:
    kept = (minutes >= 1) & (minutes <= 60)
    if not kept.any():
        raise DataError("no ride of 1 to 60 minutes", where=path)
    return np.asarray(kept)


def _fit(
    pickup: np.ndarray[tuple[int], np.dtype[np.int64]],
    dropoff: np.ndarray[tuple[int], np.dtype[np.int64]],
    minutes: np.ndarray[tuple[int], np.dtype[np.float64]],
    rows: int,
) -> Figures:
    sizes = [int(pickup.max()) + 1, int(dropoff.max()) + 1]
    coefficients, intercept = fit_one_hot([pickup, dropoff], minutes, sizes)
    error = coefficients[pickup] + coefficients[sizes[0] + dropoff] + intercept - minutes
    seen = np.concatenate([np.bincount(pickup), np.bincount(dropoff)]) > 0
    artifact = io.BytesIO()
    np.save(artifact, np.append(coefficients[seen], intercept))
    return Figures(
        rows=rows,
        kept=len(minutes),
        columns=int(seen.sum()),
        intercept=intercept,
        rmse=float(np.sqrt(np.mean(np.square(error)))),
        artifact_bytes=artifact.tell(),
    )

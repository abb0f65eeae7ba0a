"""Compute the reference figures that `cabstand verify` checks, as they were published.

Trip files are read raw, not from the cleaned lake, which holds another population. Where a source publishes no
protocol, the one used is written out.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling.coded import fit_one_hot

IRIS_PROTOCOL = "mean of 5-fold cross-validation in the file's order, stratified; columns standardised for the logistic"
HOUSING_PROTOCOL = (
    "rows without gaps, value standardised over all of them, random fifth held out; linear on median income (seed 0), "
    "tree of depth 5 on the eight raw columns (seed 42)"
)
FOREST_PROTOCOL = (
    "raw file; minutes from 1 to 60 inclusive; 40 trees of 5 rows a leaf or more on both LocationIDs, distance, "
    "hour, weekday and month; random fifth held out (seed 42). The source publishes ranges and no protocol"
)
TIMES = (("lpep_pickup_datetime", "lpep_dropoff_datetime"), ("tpep_pickup_datetime", "tpep_dropoff_datetime"))
ZONES = ("PULocationID", "DOLocationID")


@dataclass(frozen=True)
class LinearFigures:
    """Figures of one-hot least squares on a trip file."""

    rows: int  # in the file
    kept: int  # of 1 to 60 minutes
    columns: int  # distinct one-hot ones
    intercept: float  # minutes, of the least-norm fit
    rmse: float  # minutes, on the same rows
    artifact_bytes: int  # intercept and coefficients as float64 in a NumPy file


def linear(path: Path) -> LinearFigures:
    """Return the figures of least squares on both LocationIDs, one-hot, of a TLC file."""
    rides = _read(path, ZONES)
    pickup, dropoff = (rides.table[name].to_numpy().astype(np.int64) for name in ZONES)
    sizes = [int(pickup.max()) + 1, int(dropoff.max()) + 1]
    coefficients, intercept = fit_one_hot([pickup, dropoff], rides.minutes, sizes)
    error = coefficients[pickup] + coefficients[sizes[0] + dropoff] + intercept - rides.minutes
    seen = np.concatenate([np.bincount(pickup), np.bincount(dropoff)]) > 0
    artifact = io.BytesIO()
    np.save(artifact, np.append(coefficients[seen], intercept))
    rmse = float(np.sqrt(np.mean(np.square(error))))
    return LinearFigures(rides.n_rows, len(pickup), int(seen.sum()), intercept, rmse, artifact.tell())


def forest(path: Path) -> dict[str, float]:
    """Return R2 and MAE (min) of a random forest on a TLC file, by `FOREST_PROTOCOL`."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import mean_absolute_error, r2_score
    from sklearn.model_selection import train_test_split

    from cabstand.modelling.rides.features import calendar

    names = (*ZONES, "trip_distance")
    rides = _read(path, names)
    hour, weekday, month = calendar(rides.start.astype("M8[s]"))
    columns = [*(rides.table[name].to_numpy() for name in names), np.floor(hour), weekday, month]
    matrix = np.stack(columns, axis=1).astype(np.float32)
    known, unseen, target, truth = train_test_split(matrix, rides.minutes, test_size=0.2, random_state=42)
    model = RandomForestRegressor(40, min_samples_leaf=5, max_features=0.6, random_state=42).fit(known, target)
    predicted = model.predict(unseen)
    return {"R2": float(r2_score(truth, predicted)), "MAE": float(mean_absolute_error(truth, predicted))}


class _Rides(NamedTuple):
    """Rides of 1 to 60 minutes: columns, pick-up times and minutes (n,), and the number of rows in the file."""

    table: Any
    start: npt.NDArray[np.datetime64]
    minutes: npt.NDArray[np.float64]
    n_rows: int


def _read(path: Path, wanted: Sequence[str]) -> _Rides:
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
    minutes = (end - start) / np.timedelta64(60_000_000, "us")
    kept = (minutes >= 1) & (minutes <= 60)
    if not kept.any():
        raise DataError("no ride of 1 to 60 minutes", where=path)
    return _Rides(table.filter(pa.array(kept)), start[kept], minutes[kept], len(minutes))


def iris() -> dict[str, float]:
    """Return accuracy and macro F1 of logistic regression and random forest, by `IRIS_PROTOCOL`."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, target = load_iris(return_X_y=True)
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(100, random_state=42),
    }
    found = {}
    for name, model in models.items():
        label = cross_val_predict(model, data, target, cv=5)
        found[f"{name} accuracy"] = float(np.mean(label == target))
        found[f"{name} F1"] = float(f1_score(target, label, average="macro"))
    return found


def housing(path: Path) -> dict[str, float]:
    """Return R2 and MSE of linear regression and a tree on the raw columns, by `HOUSING_PROTOCOL`."""
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import mean_squared_error, r2_score
    from sklearn.model_selection import train_test_split
    from sklearn.tree import DecisionTreeRegressor

    from cabstand.modelling.problems.housing import RAW, load

    examples = load([path], {})
    complete = np.isfinite(examples.columns["total_bedrooms"])
    raw = np.stack([examples.columns[name][complete] for name in RAW], axis=1)
    value = examples.target[complete]
    value = (value - value.mean()) / value.std(ddof=1)
    found = {}
    for name, model, columns, seed in (
        ("linear", LinearRegression(), [RAW.index("median_income")], 0),
        ("tree", DecisionTreeRegressor(max_depth=5, random_state=42), list(range(len(RAW))), 42),
    ):
        known, unseen, target, truth = train_test_split(raw[:, columns], value, test_size=0.2, random_state=seed)
        predicted = model.fit(known, target).predict(unseen)
        found[f"{name} R2"] = float(r2_score(truth, predicted))
        found[f"{name} MSE"] = float(mean_squared_error(truth, predicted))
    return found

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
from cabstand.tlc import LAST_ZONE

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
MAX_ZONES = 2_000  # the figures take memory and time by its square and cube


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
    # A missing LocationID is a category of its own, as it is for DictVectorizer.
    coded = [np.unique(rides.table[name].fill_null(-1).to_numpy(), return_inverse=True) for name in ZONES]
    (pickup, dropoff), sizes = [codes for _, codes in coded], [len(ids) for ids, _ in coded]
    if max(sizes) > MAX_ZONES:
        raise DataError(f"{max(sizes):,} different LocationIDs; the TLC has {LAST_ZONE}", where=path)
    coefficients, intercept = fit_one_hot([pickup, dropoff], rides.minutes, sizes)
    error = coefficients[pickup] + coefficients[sizes[0] + dropoff] + intercept - rides.minutes
    artifact = io.BytesIO()
    np.save(artifact, np.append(coefficients, intercept))
    rmse = float(np.sqrt(np.mean(np.square(error))))
    return LinearFigures(rides.n_rows, len(pickup), sum(sizes), intercept, rmse, artifact.tell())


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

    with path.open("rb") as handle:
        is_parquet = handle.read(4) == b"PAR1" or path.suffix == ".parquet"
    try:
        table, names = _parquet(path, wanted) if is_parquet else _csv(path, wanted)
        start, end = (table[name].cast(pa.timestamp("us")).to_numpy() for name in names)
        table = pa.table({name: _whole(table[name]) if name in ZONES else table[name] for name in wanted})
    except (pa.ArrowException, OSError) as error:
        kind = "Parquet" if is_parquet else "CSV"
        what = f"not a readable {kind} file of trips: {str(error).splitlines()[0][:100]}"
        raise DataError(what, where=path) from error
    minutes = (end - start) / np.timedelta64(60_000_000, "us")
    kept = (minutes >= 1) & (minutes <= 60)
    if not kept.any():
        raise DataError("no ride of 1 to 60 minutes", where=path)
    return _Rides(table.filter(pa.array(kept)), start[kept], minutes[kept], len(minutes))


def _whole(column: Any) -> Any:
    """Return an Arrow column as whole numbers; NaN becomes null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.int64())


def _parquet(path: Path, wanted: Sequence[str]) -> tuple[Any, tuple[str, str]]:
    """Return a Parquet file's wanted columns and times, and the names of the times."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    times = _times(path, file.schema_arrow.names, wanted)
    return file.read(columns=[*times, *wanted]), times


def _csv(path: Path, wanted: Sequence[str]) -> tuple[Any, tuple[str, str]]:
    """Return the same of a CSV file, plain or gzip."""
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    table = csv.read_csv(pa.input_stream(path, compression="gzip" if packed else None))
    return table, _times(path, table.column_names, wanted)


def _times(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> tuple[str, str]:
    times = next((pair for pair in TIMES if set(pair) <= set(columns)), None)
    if times is None or not set(wanted) <= set(columns):
        hint = f"give a month as the TLC publishes it, with {', '.join(wanted)} and both times"
        raise DataError("not a trip file with times and LocationIDs", where=path, hint=hint)
    return times


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

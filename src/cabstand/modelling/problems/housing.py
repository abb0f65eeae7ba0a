"""Median house value of a Californian census block group, from the 1990 census's eight raw columns.

Data: Pace and Barry, "Sparse Spatial Autoregressions", Statistics and Probability Letters 33 (1997).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cabstand.errors import DataError
from cabstand.modelling.problem import Assets, Candidate, Columns, Examples, FeatureMatrix, Field, Problem, Target

FIELDS = (
    Field("longitude", "number", "degrees", -125, -114, "Longitude of the block group.", example=-122.23),
    Field("latitude", "number", "degrees", 32, 42.5, "Latitude of the block group.", example=37.88),
    Field("housing_median_age", "number", "years", 0, 100, "Median age of its houses.", example=41.0),
    Field("total_rooms", "number", "", 1, 100_000, "Rooms in all.", example=880.0),
    Field("total_bedrooms", "number", "", 1, 20_000, "Bedrooms in all; may be unknown.", optional=True, example=129.0),
    Field("population", "number", "", 1, 100_000, "People.", example=322.0),
    Field("households", "number", "", 1, 20_000, "Households.", example=126.0),
    Field("median_income", "number", "10 kUSD", 0, 20, "Median income of its households, 1990.", example=8.3252),
)
RAW = tuple(field.name for field in FIELDS)
FEATURES = (*RAW, "rooms_per_household", "bedrooms_per_room", "people_per_household")


def features(columns: Columns, assets: Assets) -> FeatureMatrix:
    """Return the eight raw columns and three ratios, float32 (n, 11); bedrooms may be NaN."""
    del assets
    rooms, households = columns["total_rooms"], columns["households"]
    ratios = [rooms / households, columns["total_bedrooms"] / rooms, columns["population"] / households]
    return np.stack([*(columns[name] for name in RAW), *ratios], axis=1).astype(np.float32)


def load(paths: Sequence[Path], extras: Mapping[str, Path]) -> Examples:
    """Read the CSV (plain or gzip) with the eight columns and median_house_value in USD."""
    from pyarrow import ArrowInvalid, csv

    del extras
    if len(paths) != 1:
        raise DataError(
            "housing learns from one CSV file", hint="cabstand train --problem housing --input housing.csv.gz"
        )
    try:
        table = csv.read_csv(paths[0])
    except (ArrowInvalid, OSError) as error:
        with paths[0].open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        what = "but a Parquet file" if is_parquet else re.sub(r"[^ -~]+", "?", str(error)[:100])
        hint = "housing learns from one CSV file, plain or gzip"
        raise DataError(f"not a CSV file, {what}", where=paths[0], hint=hint) from error
    if missing := [name for name in (*RAW, "median_house_value") if name not in table.column_names]:
        raise DataError(f"no column {missing[0]!r}", where=paths[0])
    columns = {name: table[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in RAW}
    value = table["median_house_value"].to_numpy(zero_copy_only=False).astype(np.float64) / 100_000
    # A request may lack the number of bedrooms alone, so rows with other gaps are dropped.
    known = np.isfinite(value) & np.logical_and.reduce([np.isfinite(columns[n]) for n in RAW if n != "total_bedrooms"])
    inland = np.where(columns["longitude"] > -119.5, "south-east", "north-west")
    examples = Examples(
        columns, value, segments={"region": inland}, facts={"rows": len(value), "kept": int(known.sum())}
    )
    return examples.take(known)


def candidates() -> list[Candidate]:
    """Return linear regression (the reference), a tree, and gradient boosting."""
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeRegressor

    from cabstand.modelling.estimators import boosting_candidates, imputed

    def tree(seed: int) -> object:
        return imputed(DecisionTreeRegressor(max_leaf_nodes=500, min_samples_leaf=5, random_state=seed))

    return [
        Candidate("linear", lambda seed: imputed(StandardScaler(), LinearRegression())),
        Candidate("tree", tree, cost=9.0),
        *boosting_candidates(),
    ]


PROBLEM = Problem(
    name="housing",
    task="regression",
    description="Median house value of a Californian block group from its census columns.",
    fields=FIELDS,
    target=Target("median_house_value", "100 kUSD", "Median value of its houses, 1990, in 100,000 USD."),
    feature_names=FEATURES,
    features=features,
    load=load,
    candidates=candidates,
    metric="rmse",
    coverage=0.9,
)

"""The same model as scikit-learn is usually served: a table of one row goes through a pipeline, behind a plain route.

The request is a pydantic model, the route a plain function, pandas makes the features inside the pipeline, and the
estimators are the fitted ones that the bundle was exported from. What need not be done again with each request (the
pipeline, the table of zones, the minutes of all pairs) is made once. `service_model.direct` leaves out pandas and the
pipeline and borrows this product's own table of features, which shows what the estimators alone cost.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn: its threads wait for each other by spinning

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import service_model
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from cabstand.modelling.rides.features import FEATURES, KM_A_DEGREE, PARALLEL

OUTPUTS = ("point", "low", "high")
app = FastAPI()


class Ride(BaseModel):
    pickup_zone: int = Field(ge=1, le=265)
    dropoff_zone: int = Field(ge=1, le=265)
    pickup_at: datetime


class WithInterval(RegressorMixin, BaseEstimator):
    """The fitted estimators of point and interval as one, (n, 3)."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any) -> WithInterval:  # noqa: N803
        raise NotImplementedError("it is fitted")

    def predict(self, X: Any) -> Any:  # noqa: N803
        answer = self.model.answer(X)
        return np.column_stack([answer[name] for name in OUTPUTS])


def ride_features(rides: pd.DataFrame, zones: pd.DataFrame, pair_min: Any) -> Any:
    """Return the features of rides as the estimators were fitted to them, float32 (n, 13)."""
    pickup, dropoff, at = rides["pickup_zone"], rides["dropoff_zone"], rides["pickup_at"].dt
    pickup_lat, pickup_lon = pickup.map(zones["lat"]), pickup.map(zones["lon"])
    dropoff_lat, dropoff_lon = dropoff.map(zones["lat"]), dropoff.map(zones["lon"])
    north = (dropoff_lat - pickup_lat) * KM_A_DEGREE
    east = (dropoff_lon - pickup_lon) * KM_A_DEGREE * PARALLEL
    found = pd.DataFrame(
        {
            "pickup_zone": pickup,
            "dropoff_zone": dropoff,
            "hour": (at.hour * 3600 + at.minute * 60 + at.second) / 3600,
            "weekday": at.dayofweek,
            "month": at.month,
            "pair_min": pair_min[pickup, dropoff],
            "centroid_km": np.hypot(north, east),
            "manhattan_km": north.abs() + east.abs(),
            "bearing_rad": np.arctan2(north, east),
            "pickup_lat": pickup_lat,
            "pickup_lon": pickup_lon,
            "dropoff_lat": dropoff_lat,
            "dropoff_lon": dropoff_lon,
        }
    )
    return found[list(FEATURES)].to_numpy(np.float32)


def pipeline(model: Any, assets: Mapping[str, Any]) -> Pipeline:
    zones = pd.DataFrame({"lat": assets["zone_lat"], "lon": assets["zone_lon"]})
    told = {"zones": zones, "pair_min": assets["pair_min"]}
    return make_pipeline(FunctionTransformer(ride_features, kw_args=told), WithInterval(model))


@cache
def _fitted() -> Pipeline:
    return pipeline(*service_model.fitted())


@app.post("/predict")
def predict(ride: Ride) -> dict[str, float]:
    (answer,) = _fitted().predict(pd.DataFrame([ride.model_dump()]))
    return dict(zip(OUTPUTS, answer.tolist(), strict=True))

"""The same answers as they are usually served: FastAPI and Mangum around an estimator, features made with pandas.

It reads its model from disk at import, wants no key and logs nothing: less than our function does.
"""

from __future__ import annotations

import os
from datetime import datetime

import joblib
import numpy as np
import pandas as pd
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel, ConfigDict, Field

KM_A_DEGREE = 111.195
PARALLEL = np.cos(np.radians(40.7))

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


class Ride(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pickup_zone: int = Field(ge=1, le=265)
    dropoff_zone: int = Field(ge=1, le=265)
    pickup_at: datetime


@app.post("/v1/trip-duration/predict")
async def predict(ride: Ride) -> dict[str, float]:
    matrix = features(pd.DataFrame([ride.model_dump()]))
    point = model["floor"] + model["scale"] * np.square(model["root"].predict(matrix))
    error = np.maximum(model["error"].predict(matrix), model["least"])
    low, high = point - model["below"] * error, point + model["above"] * error
    return {"duration_min": max(0.0, float(point[0])), "low": max(0.0, float(low[0])), "high": float(high[0])}


def features(rides: pd.DataFrame) -> np.ndarray:
    for end in ("pickup", "dropoff"):
        rides = rides.join(model["zones"].add_prefix(f"{end}_"), on=f"{end}_zone")
    north = (rides["dropoff_lat"] - rides["pickup_lat"]) * KM_A_DEGREE
    east = (rides["dropoff_lon"] - rides["pickup_lon"]) * KM_A_DEGREE * PARALLEL
    at = rides["pickup_at"].dt
    made = rides.assign(
        hour=at.hour + at.minute / 60 + at.second / 3600,
        weekday=at.weekday,
        month=at.month,
        pair_min=model["pair_min"].to_numpy()[rides["pickup_zone"], rides["dropoff_zone"]],
        centroid_km=np.hypot(north, east),
        manhattan_km=north.abs() + east.abs(),
        bearing_rad=np.arctan2(north, east),
    )
    return made[model["names"]].to_numpy(np.float32)


handler = Mangum(app, lifespan="off")

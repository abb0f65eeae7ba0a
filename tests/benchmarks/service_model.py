"""One model in two forms for the service's benchmark: a bundle, and its estimators; and the two plain servers."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn: its threads wait for each other by spinning

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from bundles import point, small_assets, small_bundle
from cabstand.modelling import bundle, catalog

PROBLEM = catalog.find("trip-duration")
N_ROWS = 5_000


def publish(home: Path) -> None:
    """Fit the shipped gradient boosting with its interval, publish it, and keep the estimators beside it."""
    from cabstand.modelling import estimators, export, fit

    rng = np.random.default_rng(0)
    columns = {
        "pickup_zone": rng.integers(1, 266, N_ROWS),
        "dropoff_zone": rng.integers(1, 266, N_ROWS),
        "pickup_at": np.datetime64("2023-01-01") + rng.integers(0, 7_000_000, N_ROWS).astype("m8[s]"),
    }
    assets = small_assets(PROBLEM)
    matrix = PROBLEM.matrix(columns, assets)
    minutes = 8 + 3 * matrix[:, 6] + rng.gamma(2, 2, N_ROWS)

    def fitted(**parameters: Any) -> Any:
        return estimators.boosting(0, **parameters).fit(matrix, minutes)

    size = {"max_iter": 200, "learning_rate": 0.1, "max_leaf_nodes": 31}
    model = fit.Model(
        "boosting", fitted(**size), *(fitted(quantile=level, max_iter=150) for level in (0.05, 0.95)), 0.5, 0.0
    )
    small_bundle(home / "artifacts")
    base = home / "artifacts" / PROBLEM.name / "bundles" / "v1"
    data = export.to_onnx(model, len(PROBLEM.feature_names))
    manifest = bundle.parse_manifest((base / "manifest.json").read_bytes())
    (base / "model.onnx").write_bytes(data)
    files = dict(manifest.files) | {"model.onnx": bundle.file_of(data)}
    (base / "manifest.json").write_bytes(replace(manifest, files=files).to_bytes())
    point(home / "artifacts")
    (home / "estimators.pickle").write_bytes(pickle.dumps(model))


bare = FastAPI()
sklearn = FastAPI()


@bare.get("/bare")
async def constant() -> dict[str, bool]:
    return {"ok": True}


class Ride(BaseModel):
    pickup_zone: int
    dropoff_zone: int
    pickup_at: str


def _state() -> tuple[Any, Any]:
    if not hasattr(sklearn.state, "model"):
        sklearn.state.model = pickle.loads((Path(os.environ["BENCH_HOME"]) / "estimators.pickle").read_bytes())
        sklearn.state.assets = small_assets(PROBLEM)
    return sklearn.state.model, sklearn.state.assets


@sklearn.post("/predict")
async def predict(ride: Ride) -> dict[str, float]:
    model, assets = _state()
    columns = {
        "pickup_zone": np.array([ride.pickup_zone]),
        "dropoff_zone": np.array([ride.dropoff_zone]),
        "pickup_at": np.array([ride.pickup_at], "M8[s]"),
    }
    answer = model.answer(PROBLEM.matrix(columns, assets))
    return {name: float(values[0]) for name, values in answer.items()}

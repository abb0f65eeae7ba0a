"""One model in two forms for the service's benchmark: a bundle, and its estimators; and two plain servers.

`bare` returns a constant. `direct` asks the estimators with nothing between: its features come from this product's own
table, so it is faster than what is usually built with scikit-learn (`service_sklearn`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn: its threads wait for each other by spinning

import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from bundles import point, small_assets, small_bundle
from cabstand.io.proving import bundles as proofs
from cabstand.modelling import bundle, catalog, export, fit
from cabstand.modelling.problem import Candidate, Examples

PROBLEM = catalog.find("trip-duration")
CANDIDATE = "root-boosting"  # what real months choose
N_ROWS = 60_000  # enough for trees of their full size


def rides() -> Examples:
    """Return rides between any zones: by distance, by zone, slow in the rush hours, with a long tail."""
    rng = np.random.default_rng(0)
    columns = {
        "pickup_zone": rng.integers(1, 266, N_ROWS),
        "dropoff_zone": rng.integers(1, 266, N_ROWS),
        "pickup_at": np.datetime64("2023-01-01") + rng.integers(0, 7_000_000, N_ROWS).astype("m8[s]"),
    }
    assets = small_assets(PROBLEM)
    matrix = PROBLEM.matrix(columns, assets)
    named = dict(zip(PROBLEM.feature_names, matrix.T.astype(np.float64), strict=True))
    rush = 1 + 0.4 * np.exp(-np.square(named["hour"] - 17.5) / 8) * (named["weekday"] < 5)
    slow = rng.uniform(0.8, 1.3, 266)[columns["dropoff_zone"]]
    minutes = (4 + 1.5 * named["manhattan_km"] * slow * rush) * rng.gamma(8, 1 / 8, N_ROWS)
    return Examples(columns, minutes, columns["pickup_at"], assets=assets)


def publish(home: Path) -> dict[str, int]:
    """Fit what real months choose, as declared, publish it, keep the estimators beside it; return the trees' size."""
    trained = fit.train(replace(PROBLEM, candidates=_chosen), rides(), 0)
    small_bundle(home / "artifacts")
    base = home / "artifacts" / PROBLEM.name / "bundles" / "v1"
    manifest = bundle.parse_manifest((base / "manifest.json").read_bytes())
    files = dict(manifest.files)
    for name, data in (
        (bundle.MODEL, export.to_onnx(trained.model, len(PROBLEM.feature_names))),
        (bundle.ASSETS, bundle.pack_arrays(trained.assets)),
    ):
        (base / name).write_bytes(data)
        files[name] = bundle.file_of(data)
    (base / bundle.MANIFEST).write_bytes(replace(manifest, files=files).to_bytes())
    proofs.record(str(home / "artifacts"), PROBLEM.name, "v1")  # as a promotion does: the manifest is another one now
    point(home / "artifacts")
    (home / "estimators.pickle").write_bytes(pickle.dumps((trained.model, trained.assets)))
    parts = (trained.model.point.root_, trained.model.interval.error)
    trees = [tree for part in parts for iteration in part._predictors for tree in iteration]
    return {"trees": len(trees), "leaves": sum(int(tree.get_n_leaf_nodes()) for tree in trees)}


def _chosen() -> list[Candidate]:
    return [one for one in PROBLEM.candidates() if one.name == CANDIDATE]


bare = FastAPI()
direct = FastAPI()


@bare.get("/bare")
async def constant() -> dict[str, bool]:
    return {"ok": True}


class Ride(BaseModel):
    pickup_zone: int
    dropoff_zone: int
    pickup_at: str


@cache
def fitted() -> tuple[Any, Any]:
    """Return the estimators and the assets that `publish` kept."""
    model, assets = pickle.loads((Path(os.environ["BENCH_HOME"]) / "estimators.pickle").read_bytes())
    return model, assets


@cache
def _prepared() -> tuple[Any, Any]:
    model, assets = fitted()
    return model, PROBLEM.prepare(assets)


@direct.post("/predict")
async def predict(ride: Ride) -> dict[str, float]:
    model, assets = _prepared()
    columns = {
        "pickup_zone": np.array([ride.pickup_zone]),
        "dropoff_zone": np.array([ride.dropoff_zone]),
        "pickup_at": np.array([ride.pickup_at], "M8[s]"),
    }
    answer = model.answer(PROBLEM.matrix(columns, assets))
    return {name: float(values[0]) for name, values in answer.items()}

"""Errors of predictions: one loss per row for the gate, figures and tables for a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError

Answer = Mapping[str, npt.NDArray[Any]]
FloatArray = npt.NDArray[np.float64]


def losses(metric: str, target: npt.NDArray[Any], answer: Answer) -> FloatArray:
    """Return one loss per row (n,), whose mean is the metric (`mae`, `error_rate`) or its square (`rmse`).

    `target` is the truth (n,), `answer` the model's outputs by name.
    """
    if metric == "mae":
        return np.asarray(np.abs(answer["point"].astype(np.float64) - target))
    if metric == "rmse":
        return np.asarray(np.square(answer["point"].astype(np.float64) - target))
    if metric == "error_rate":
        return np.asarray(answer["label"] != target, dtype=np.float64)
    raise ConfigError(f"unknown metric {metric!r}", hint="mae, rmse or error_rate")


def summarise(task: str, target: npt.NDArray[Any], answer: Answer) -> dict[str, float]:
    """Return `mae`, `rmse`, `r2` and the interval's figures; of a classification `accuracy`, `f1` and others."""
    return _classification(target, answer) if task == "classification" else _regression(target, answer)


def _regression(target: npt.NDArray[Any], answer: Answer) -> dict[str, float]:
    error = answer["point"].astype(np.float64) - target
    spread = float(np.sum(np.square(target - target.mean())))
    found = {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(np.square(error)))),
        "r2": 1 - float(np.sum(np.square(error))) / spread if spread > 0 else 0.0,
    }
    if "low" in answer:
        low, high = answer["low"].astype(np.float64), answer["high"].astype(np.float64)
        found["coverage"] = float(np.mean((target >= low) & (target <= high)))
        found["interval_width"] = float(np.mean(high - low))
    return found


def _classification(target: npt.NDArray[Any], answer: Answer) -> dict[str, float]:
    from sklearn.metrics import f1_score, log_loss

    label, probability = answer["label"], np.asarray(answer["probability"], dtype=np.float64)
    probability = probability / probability.sum(axis=1, keepdims=True)
    return {
        "accuracy": float(np.mean(label == target)),
        "error_rate": float(np.mean(label != target)),
        "f1": float(f1_score(target, label, average="macro", zero_division=0)),
        "log_loss": float(log_loss(target, probability, labels=np.arange(probability.shape[1]))),
    }


def by_segment(loss: FloatArray, segments: Mapping[str, npt.NDArray[np.str_]]) -> list[dict[str, Any]]:
    """Return one row per value of each segment: `segment`, `value`, `n`, `loss` (the mean)."""
    rows = []
    for name, values in segments.items():
        known, codes = np.unique(values, return_inverse=True)
        n = np.bincount(codes, minlength=len(known))
        mean = np.bincount(codes, weights=loss, minlength=len(known)) / n
        rows += [
            {"segment": name, "value": str(value), "n": int(count), "loss": float(one)}
            for value, count, one in zip(known, n, mean, strict=True)
        ]
    return rows


def calibration(target: FloatArray, point: FloatArray, n_bins: int = 20) -> list[dict[str, float]]:
    """Return mean prediction and mean truth in bins of equal size, ordered by prediction."""
    order = np.argsort(point, kind="stable")
    parts = [part for part in np.array_split(order, n_bins) if len(part)]
    return [{"predicted": float(point[p].mean()), "actual": float(target[p].mean()), "n": len(p)} for p in parts]

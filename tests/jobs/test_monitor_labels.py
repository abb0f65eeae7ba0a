"""The monitor takes the labels of logged predictions for the truth, once there are enough of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bundles
from cabstand.io import bundles as stored
from cabstand.io import labels
from cabstand.io.predictions import PredictionFiles
from cabstand.jobs import monitor
from cabstand.modelling.bundle import REFERENCE
from cabstand.settings import Settings, load

PROBLEM = "housing"
DAY = "2024-01-10"
N = 300


@pytest.fixture
def place() -> Settings:
    """A champion whose logged predictions are all ten too high."""
    settings = load(monitor_min_rows=200)
    training = bundles.holdout(settings.artifacts_uri)
    rows = stored.read_holdout(settings.artifacts_uri, PROBLEM, training["holdout"]["sha256"])
    reference, out = pa.table({**rows.columns, "target": rows.target, "prediction": rows.target}), io.BytesIO()
    pq.write_table(reference, out)
    bundles.small_bundle(
        settings.artifacts_uri, PROBLEM, training=training | {"rows": len(rows)}, extra={REFERENCE: out.getvalue()}
    )
    bundles.point(settings.artifacts_uri, PROBLEM)
    target = stored.read_manifest(settings.artifacts_uri, PROBLEM, "v1").target["name"]
    log = [
        {
            "request_id": f"{i:04x}", "row": 0, "at": f"{DAY}T{i % 24:02d}:00:00.000000+00:00", "problem": PROBLEM,
            "version": "v1", "role": "champion", "key": "k", "latency_ms": 0.5, "trace_id": "t",
            "features": {name: float(values[i]) for name, values in rows.columns.items()},
            "answer": {"low": 0.0, target: float(rows.target[i] + 10), "high": 99.0},
        }
        for i in range(N)
    ]  # fmt: skip
    PredictionFiles(settings.home / "predictions").append(log)
    return settings


def label(settings: Settings, n: int) -> None:
    [*records] = PredictionFiles(settings.home / "predictions").read(PROBLEM)
    rows = stored.read_holdout(
        settings.artifacts_uri,
        PROBLEM,
        stored.read_manifest(settings.artifacts_uri, PROBLEM, "v1").training["holdout"]["sha256"],
    )
    names = ("request_id", "row", "at", "version")
    new: list[dict[str, Any]] = [
        {name: one[name] for name in names}
        | {"truth": float(rows.target[int(one["request_id"], 16)]), "matched_by": "request"}
        | {"predicted": None, "low": None, "high": None}
        for one in records[:n]
    ]
    labels.add(settings.lake_uri, PROBLEM, new)


@pytest.mark.slow
def test_labels_are_the_truth_once_there_are_enough(place: Settings) -> None:
    params = monitor.Params(PROBLEM, predictions=f"{DAY}..{DAY}", track=False)
    label(place, 199)
    before = monitor.run(place, params)
    assert before["quality"] is None
    label(place, 250)
    after = monitor.run(place, params)
    assert after["quality"]["n"] == 250
    assert after["quality"]["bias"]["value"] == pytest.approx(10, abs=1e-3)
    assert "bias" in after["reason"]
    assert after["decision_key"] == f"{before['decision_key']}-truth"
    assert np.isfinite(after["quality_then"]["mae"]["value"])

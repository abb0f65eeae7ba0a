"""What it costs to start: from the event to the first answer, in pairs with other services in the same runtime."""

from __future__ import annotations

import json
import pickle
import statistics
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest

import lambda_runtime
from cabstand.modelling.rides.features import FEATURES
from cabstand.settings import Settings
from lambda_events import ROW, event
from lambda_runtime import Function
from serving import make_key

pytestmark = pytest.mark.lambda_

BARE = """
from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()


@app.get("/bare")
async def bare():
    return {"ok": True}


handler = Mangum(app, lifespan="off")
"""


@dataclass(frozen=True)
class Start:
    """One service to start, and what it is asked."""

    python: str
    tree: Path
    runtime: Path
    sent: dict[str, Any]
    handler: str = "handler.handler"
    env: dict[str, str] = field(default_factory=dict)

    def answer(self, folder: Path) -> dict[str, Any]:
        with self._running(folder) as found:
            return found.invoke(self.sent)

    def seconds(self, folder: Path) -> float:
        with self._running(folder) as found:
            return found.timed(self.sent)

    def _running(self, folder: Path) -> AbstractContextManager[Function]:
        log = folder / f"{self.handler}.log"
        return lambda_runtime.running(self.python, self.tree, self.runtime, log, self.handler, **self.env)


def paired(one: Start, other: Start, folder: Path) -> float:
    """Return the median ratio of ten pairs, in turn; a first pair fills the page cache."""
    pairs = [(one.seconds(folder), other.seconds(folder)) for _ in range(11)][1:]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"\ncold start: {one.handler} {a:.3f} s, {other.handler} {b:.3f} s, paired ratio {ratio:.3f}")
    return ratio


def _ours(python: tuple[str, str], tree: Path, runtime: Path, home: Path, key: str) -> Start:
    sent = event("POST", "/v1/trip-duration/predict", ROW, **{"x-api-key": key})
    return Start(python[0], tree, runtime, sent, env={"CABSTAND_HOME": str(home)})


def dump_usual(estimators: Path, target: Path) -> None:
    """Write what the usual service loads: no class but scikit-learn's and pandas'."""
    model, assets = pickle.loads(estimators.read_bytes())
    point, interval = model.point, model.interval
    parts = {"root": point.root_, "floor": point.floor_, "scale": point.scale_, "names": list(FEATURES)}
    parts |= {"error": interval.error, "least": interval.least, "below": interval.below, "above": interval.above}
    parts["zones"] = pd.DataFrame({"lat": assets["zone_lat"], "lon": assets["zone_lon"]})
    parts["pair_min"] = pd.DataFrame(assets["pair_min"])
    joblib.dump(parts, target)


def test_a_cold_start_costs_little_more_than_a_bare_one(
    python: tuple[str, str], tree: Path, runtime: Path, home: tuple[Path, str], tmp_path: Path
) -> None:
    (tmp_path / "bare_handler.py").write_text(BARE)
    bare_env = {"PYTHONPATH": f"{tree}:{runtime}:{tmp_path}"}
    bare = Start(python[0], tree, runtime, event("GET", "/bare"), "bare_handler.handler", bare_env)
    ratio = paired(_ours(python, tree, runtime, *home), bare, tmp_path)
    assert ratio <= 1.7


def test_a_cold_start_costs_less_than_half_of_the_usual_one(
    python: tuple[str, str], tree: Path, runtime: Path, tmp_path: Path
) -> None:
    """The usual one: scikit-learn and pandas; the same route, model and answer."""
    from benchmarks import service_model

    service_model.publish(tmp_path)
    dump_usual(tmp_path / "estimators.pickle", tmp_path / "model.joblib")
    usual_tree = lambda_runtime.usual_tree(*python, tree)
    env = {"MODEL": str(tmp_path / "model.joblib"), "OMP_NUM_THREADS": "1"}
    sent = event("POST", "/v1/trip-duration/predict", ROW)
    usual = Start(python[0], usual_tree, runtime, sent, "usual_handler.handler", env)
    ours = _ours(python, tree, runtime, tmp_path, make_key(Settings(home=tmp_path)))
    answer, same = (json.loads(one.answer(tmp_path)["body"]) for one in (ours, usual))
    assert answer["answer"] == pytest.approx(same, rel=1e-4)
    assert paired(ours, usual, tmp_path) <= 0.4

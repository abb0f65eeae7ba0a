"""The exported file answers as the estimator does: each candidate of each problem, on random valid requests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.errors import ConfigError
from cabstand.modelling import catalog, convert, export, fit, interval
from cabstand.modelling.estimators import boosting
from cabstand.modelling.predictor import open_session
from cabstand.modelling.problem import Examples, Problem

N = 1_500
CANDIDATES = [(name, one.name) for name in sorted(catalog.BUILT_IN) for one in catalog.find(name).candidates()]
# Zones 200 and up are never seen in training.
SEEN_ZONES = 199


def requests(problem: Problem, n: int, rng: np.random.Generator, *, unseen: bool) -> dict[str, Any]:
    """Random valid requests, decimals rounded as people write them: Gaussian floats hide a wrong threshold."""
    found: dict[str, Any] = {}
    for field in problem.fields:
        low, high = field.minimum or 0, field.maximum or 0
        if field.kind == "timestamp":
            found[field.name] = np.datetime64("2023-01-01", "s") + rng.integers(0, 60 * 86_400, n).astype("m8[s]")
        elif field.kind == "integer":
            found[field.name] = rng.integers(low, (high if unseen else SEEN_ZONES) + 1, n)
        else:
            found[field.name] = np.round(rng.uniform(low, min(high, low + 100), n), 2)
            if field.optional:
                found[field.name][rng.random(n) < 0.1] = np.nan
    return found


def assets(problem: Problem, columns: dict[str, Any], target: np.ndarray) -> dict[str, Any]:
    if not problem.learn:
        return {}
    rng = np.random.default_rng(1)
    lat, lon = np.round(rng.uniform(40.5, 40.9, 266), 4), np.round(rng.uniform(-74.2, -73.7, 266), 4)
    lat[::17] = lon[::17] = np.nan
    return {"zone_lat": lat, "zone_lon": lon} | dict(problem.learn(Examples(columns, target)))


@cache
def fitted(name: str, candidate: str) -> tuple[Problem, fit.Model, Any, dict[str, Any], float]:
    problem = catalog.find(name)
    rng = np.random.default_rng(0)
    columns = requests(problem, N, rng, unseen=False)
    score = np.nan_to_num(sum(np.asarray(v, np.float64) % 37 for v in columns.values() if v.dtype.kind in "fi"))
    target = np.round(score, 2) if problem.task == "regression" else (score // 30 % 3).astype(np.int64)
    learned = assets(problem, columns, target)
    matrix = problem.matrix(columns, learned)
    [chosen] = [one for one in problem.candidates() if one.name == candidate]
    with fit.one_thread():
        around = None
        if problem.coverage:
            error = boosting(0, **interval.TREES).fit(matrix, np.abs(target - target.mean()))
            around = interval.Interval(error, 0.01, 0.37, 0.73)
        model = fit.Model(candidate, chosen.build(0).fit(matrix, target), around, problem.target.minimum)
    data = export.to_onnx(model, matrix.shape[1])
    session = open_session(data, name, matrix.shape[1], problem.outputs)
    return problem, model, session, learned, 1e-5 * max(1.0, float(np.abs(target).max()))


@pytest.mark.parametrize(("name", "candidate"), CANDIDATES)
def test_parity_on_random_valid_requests(name: str, candidate: str) -> None:
    problem, model, session, learned, tolerance = fitted(name, candidate)

    @settings(max_examples=15)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 300))
    def holds(seed: int, n: int) -> None:
        columns = requests(problem, n, np.random.default_rng(seed), unseen=True)
        matrix = problem.matrix(columns, learned)
        answer = dict(zip(problem.outputs, session.run(list(problem.outputs), {"features": matrix}), strict=True))
        with fit.one_thread():
            export.check_parity(model, answer, model.answer(matrix), tolerance)
        if "low" in answer:
            assert (answer["low"] <= answer["point"]).all()
            assert (answer["point"] <= answer["high"]).all()

    holds()


def test_two_decimals_need_thresholds_rounded_down(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    exact = np.round(rng.uniform(0, 30, (4_000, 3)), 2)
    matrix = exact.astype(np.float32)
    target = np.round(exact.sum(axis=1) + rng.normal(0, 1, 4_000), 2)
    with fit.one_thread():
        # Fitted on float64, so that thresholds fall onto values that float32 cannot hold.
        model = fit.Model("boosting", boosting(0, max_iter=60).fit(exact, target))
        expected = model.answer(matrix)["point"]

    def off() -> float:
        session = open_session(export.to_onnx(model, 3), "test", 3, ("point",))
        return float(np.abs(session.run(["point"], {"features": matrix})[0].ravel() - expected).max())

    assert off() < 1e-4
    monkeypatch.setattr(convert, "rounded_down", lambda values: values.astype(np.float32).astype(np.float64))
    assert off() > 1e-2


@given(st.lists(st.floats(-1e30, 1e30), min_size=1))
def test_rounded_down_is_the_largest_float32_not_above(values: list[float]) -> None:
    found = convert.rounded_down(np.array(values))
    assert (found <= np.array(values)).all()
    assert (np.nextafter(found.astype(np.float32), np.float32(np.inf)).astype(np.float64) > np.array(values)).all()


@pytest.mark.parametrize("wrong", [{"loss": "poisson"}, {"categorical_features": [0]}])
def test_what_converts_wrongly_is_refused(wrong: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    matrix, target = rng.integers(0, 9, (300, 2)).astype(np.float32), rng.integers(1, 9, 300).astype(float)
    model = fit.Model("wrong", boosting(0, max_iter=3, **wrong).fit(matrix, target))
    with pytest.raises(ConfigError, match="wrong model"):
        export.to_onnx(model, 2)


def test_a_file_that_differs_fails_the_job() -> None:
    _, model, _, _, tolerance = fitted("housing", "linear")
    matrix = np.ones((5, 11), np.float32)
    answer = {name: values + 0.01 for name, values in model.answer(matrix).items()}
    with pytest.raises(Exception, match="off by"):
        export.check_parity(model, answer, model.answer(matrix), tolerance)

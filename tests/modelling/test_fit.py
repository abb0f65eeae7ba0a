"""Training's parts against slow obvious code: one-hot least squares, split, interval, and inputs that cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cabstand.errors import DataError
from cabstand.modelling import catalog, fit
from cabstand.modelling.coded import CodedRidge, fit_one_hot
from cabstand.modelling.problem import Candidate, Examples


def trips(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pickup, dropoff = rng.integers(1, 40, n), rng.integers(1, 50, n)
    return pickup, dropoff, np.round(5 + 0.2 * pickup + 0.1 * dropoff + rng.normal(0, 3, n), 3)


def test_counts_give_what_a_dict_a_row_gives() -> None:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LinearRegression

    pickup, dropoff, minutes = trips(3_000)
    rows = [{"PU": str(a), "DO": str(b)} for a, b in zip(pickup, dropoff, strict=True)]
    matrix = DictVectorizer().fit_transform(rows)
    oracle = LinearRegression(tol=1e-12).fit(matrix, minutes)
    coefficients, intercept = fit_one_hot([pickup, dropoff], minutes, [40, 50])
    assert intercept == pytest.approx(oracle.intercept_, abs=1e-4)
    found = coefficients[pickup] + coefficients[40 + dropoff] + intercept
    np.testing.assert_allclose(found, oracle.predict(matrix), atol=1e-4)
    assert (np.abs(coefficients) > 1e-9).sum() == matrix.shape[1]


def test_coded_ridge_is_ridge() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import OneHotEncoder

    pickup, dropoff, minutes = trips(2_000)
    number = np.random.default_rng(1).normal(3, 2, 2_000)
    matrix = np.stack([pickup, dropoff, number], axis=1).astype(np.float32)
    model = CodedRidge(coded=(0, 1), numeric=(2,), alpha=3.0).fit(matrix, minutes)
    scaled = (matrix[:, 2:] - matrix[:, 2:].mean(0)) / matrix[:, 2:].std(0)
    whole = np.hstack([OneHotEncoder(sparse_output=False).fit_transform(matrix[:, :2]), scaled])
    np.testing.assert_allclose(model.predict(matrix), Ridge(3.0).fit(whole, minutes).predict(whole), atol=1e-3)
    unseen = model.predict(np.array([[99, 99, np.nan]], np.float32))
    assert unseen[0] == pytest.approx(model.intercept_)


def test_later_rows_are_held_out_and_ties_stay_together() -> None:
    time = np.datetime64("2023-01-01", "s") + np.repeat(np.arange(50), 4).astype("m8[h]")
    rows = Examples({"x": np.arange(200.0)}, np.arange(200.0), time=time[::-1])
    earlier, later = fit.split(rows, 0.2, 0)
    assert earlier.time is not None
    assert later.time is not None
    assert earlier.time.max() < later.time.min()
    assert len(earlier) + len(later) == 200
    assert 40 <= len(later) <= 44


@pytest.mark.parametrize(
    ("errors", "chosen"), [([5.0, 1.015, 1.0], 1), ([5.0, 1.03, 1.0], 2), ([1.019, 1.0, 1.0], 0), ([0.0, 0.0, 0.0], 0)]
)
def test_of_candidates_that_err_alike_the_cheapest_is_chosen(errors: list[float], chosen: int) -> None:
    candidates = [Candidate(str(cost), lambda seed: seed, cost=cost) for cost in (0, 10, 100)]
    assert fit.cheapest(candidates, errors) == chosen


def test_of_equal_cost_the_best_is_chosen() -> None:
    assert fit.cheapest([Candidate(name, lambda seed: seed) for name in "abc"], [1.002, 1.0, 1.001]) == 1


def iris(**changes: np.ndarray) -> Examples:
    found = catalog.find("iris").load([], {})
    return Examples(
        found.columns | {k: v for k, v in changes.items() if k != "target"}, changes.get("target", found.target)
    )


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (iris(target=np.zeros(150, np.int64)), "same in every row"),
        (iris().take(np.arange(10)), "too few"),
        (iris(**{name: np.ones(150) for name in iris().columns}), "every field is the same"),
    ],
)
def test_nothing_to_learn_is_one_line(rows: Examples, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        fit.train(catalog.find("iris"), rows, 0)
    assert "\n" not in str(caught.value)


def test_same_seed_same_model() -> None:
    problem = catalog.find("iris")
    answers = [fit.train(problem, iris(), 3).model.answer(problem.matrix(iris().columns, {})) for _ in range(2)]
    np.testing.assert_array_equal(answers[0]["probability"], answers[1]["probability"])


@pytest.mark.parametrize("number", range(5))
def test_every_candidate_learns_without_zones(number: int) -> None:
    rng = np.random.default_rng(0)
    n, unknown = 600, np.full(266, np.nan)
    columns = {
        "pickup_zone": rng.integers(1, 20, n),
        "dropoff_zone": rng.integers(1, 20, n),
        "pickup_at": np.datetime64("2023-01-01", "s") + np.sort(rng.integers(0, 2_000_000, n)).astype("m8[s]"),
    }
    minutes = 5 + np.abs(columns["pickup_zone"] - columns["dropoff_zone"]) + rng.normal(0, 0.5, n)
    assets = {"zone_lat": unknown, "zone_lon": unknown}
    problem = catalog.find("trip-duration")
    [chosen] = problem.candidates()[number : number + 1]
    problem = replace(problem, candidates=lambda: [chosen], coverage=None)
    trained = fit.train(problem, Examples(columns, minutes, columns["pickup_at"], assets=assets), 0)
    answer = trained.model.answer(problem.matrix(columns, trained.assets))
    assert np.isfinite(answer["point"]).all()

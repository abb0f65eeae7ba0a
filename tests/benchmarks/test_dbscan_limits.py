"""The benchmark's limits can fail, each of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import dbscan_limits

    yield dbscan_limits
    sys.modules.pop("dbscan_limits")


def row(seconds: float, n: int = 1_000_000, **more: Any) -> dict[str, Any]:
    return {
        "n": n,
        "cpu_s": seconds,
        "rounds": [[seconds, seconds]] * 5,
        "sha256": "same",
        "peak_mb": 100.0,
        "working_bytes_a_point": 10.0,
    } | more


GOOD: dict[str, dict[str, Any]] = {
    "peers-1000000": {"cabstand": row(0.1), "dbscan": row(0.8)},
    "settings-100000-25-500": {"cabstand": row(0.1), "dbscan": row(0.2)},
    "sklearn-1000000": {"cabstand": row(0.1), "scikit-learn": row(21.0)},
    "radix-5000000": {"cabstand": row(0.2), "radix": row(0.05)},
    "reference-22000000": {"cabstand": row(0.8), "reference": row(1.0)},
    "threads-22000000": {"1": row(1.0), "2": row(0.5), "two at once": row(1.0)},
    "worst-1000000": {"nyc": row(0.1), "chain": row(0.4)},
    "growth": {str(n): row(n / 1e7, n) for n in (1_000_000, 5_000_000, 22_000_000)},
    "growth-spread": {
        f"{n}, {threads}": row(n / 1e7, n, rounds=[[n / 1e7, n / 1e7 / threads]] * 5)
        for n in (5_000_000, 100_000_000)
        for threads in (1, 2)
    },
    "first": {"compiling_s": 8.0, "compiled_before_s": 1.0},
}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("peers-1000000", {"dbscan": row(0.6)}),
    ("settings-100000-25-500", {"dbscan": row(0.09)}),
    ("sklearn-1000000", {"scikit-learn": row(19.0)}),
    ("radix-5000000", {"radix": row(0.03)}),
    ("reference-22000000", {"reference": row(0.9)}),
    ("threads-22000000", {"2": row(0.6)}),
    ("threads-22000000", {"2": row(0.5, sha256="other")}),
    ("threads-22000000", {"2": row(0.5, working_bytes_a_point=16.1)}),
    ("worst-1000000", {"chain": row(0.51)}),
    ("worst-1000000", {"chain": row(0.4, peak_mb=301.0)}),
    ("growth", {"22000000": row(2.5, 22_000_000)}),
    ("growth-spread", {"100000000, 1": row(16.0, 100_000_000, rounds=[[10.0, 10.0]] * 5)}),
    ("growth-spread", {"100000000, 1": row(10.0, 100_000_000, rounds=[[11.2, 10.0]] * 5)}),
    ("growth-spread", {"100000000, 2": row(10.0, 100_000_000, rounds=[[10.0, 6.1]] * 5)}),
    ("growth-spread", {"100000000, 2": row(10.0, 100_000_000, rounds=[[10.0, 5.0]] * 5, sha256="other")}),
    ("first", {"compiled_before_s": 2.1}),
    ("first", {"compiled_before_s": float("nan")}),
]


def test_good_trials_hold(limits: Any) -> None:
    found = limits.figures(GOOD)
    assert len(found) == 23
    assert all(figure.holds() for figure in found)


@pytest.mark.parametrize(("name", "change"), BAD)
def test_a_trial_beyond_its_limit_does_not_hold(limits: Any, name: str, change: dict[str, Any]) -> None:
    found = limits.figures(GOOD | {name: GOOD[name] | change})
    assert sum(not figure.holds() for figure in found) == 1

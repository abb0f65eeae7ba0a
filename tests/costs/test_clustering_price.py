"""Dollars per million trips: the smallest task that fits, for as long as the clustering takes."""

from __future__ import annotations

from typing import Any

import pytest

from cabstand.costs import clustering
from cabstand.costs.table import load


def row(engine: str, n_workers: int, n_points: int, wall_s: float, peak_mb: float, **more: Any) -> dict[str, Any]:
    shape = {"engine": engine, "n_workers": n_workers, "n_points": n_points, "status": "measured"}
    return shape | {"wall_s": wall_s, "peak_rss_mb": peak_mb} | more


def test_a_million_trips() -> None:
    rows = [row("sklearn", 1, 500_000, 36.0, 3000.0), row("multicore", 2, 500_000, 3.6, 500.0)]
    trials = [{**rows[0], "wall_s": wall_s} for wall_s in (30.0, 42.0)]
    cheap, dear = clustering.per_million({"table": rows, "trials": trials}, load())
    assert (cheap.engine, cheap.vcpu, cheap.memory_gb) == ("multicore", 2, 4)
    assert cheap.usd == cheap.low == cheap.high == pytest.approx((2 * 0.04048 + 4 * 0.004445) * 0.002)
    assert (dear.vcpu, dear.memory_gb) == (1, 4)  # 3,000 MB and a quarter more
    assert dear.usd == pytest.approx((0.04048 + 4 * 0.004445) * 0.02)
    assert (dear.low, dear.high) == (pytest.approx(dear.usd * 30 / 36), pytest.approx(dear.usd * 42 / 36))


def test_engines_are_priced_at_a_size_that_all_of_them_ran() -> None:
    rows = [row("a", 1, 10, 1.0, 1.0), row("b", 1, 10, 1.0, 1.0), row("a", 1, 20, 1.0, 1.0)]
    refused = row("b", 1, 20, 0.0, 0.0, status="refused")
    assert {one.n_points for one in clustering.per_million({"table": [*rows, refused]}, load())} == {10}
    assert clustering.per_million({"table": [rows[0] | {"n_workers": 64}]}, load()) == []
    assert clustering.per_million({"table": [refused]}, load()) == []

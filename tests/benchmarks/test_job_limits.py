"""The limits of whole jobs can fail, each of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(HERE))
    import job_limits

    yield job_limits
    for name in ("job_limits", "dbscan_limits"):
        sys.modules.pop(name, None)


def row(cpu_s: float, wall_s: float = 1.0, peak_mb: float = 100.0, n: int = 1, **more: Any) -> dict[str, Any]:
    return {"n": n, "cpu_s": cpu_s, "peak_mb": peak_mb, "rounds": [[cpu_s, wall_s]] * 5} | more


def clusters(one: dict[str, Any], **changed: dict[str, Any]) -> dict[str, Any]:
    rows = {"floor": row(1.0), "one thread": one, "two threads": row(1.0, 0.6), "tracked": row(one["cpu_s"] + 1)}
    return {"cluster-5000000": rows | {name.replace("_", " "): found for name, found in changed.items()}}


GOOD = [
    clusters(row(1.9)),
    {"growth": {str(n): row(n / 1e6, n=n, peak_mb=2_900.0) for n in (1_000_000, 22_000_000)}},
    {"sweep-1000000": {"30 fits": row(1.0), "one thread": row(14.0), "two threads": row(1.0)}},
    {"ingest-9": {"DuckDB": row(1.0), "one core": row(0.9, peak_mb=390.0), "two cores": row(1.0, 0.6)}},
    {"distributed-9": {"one machine": row(1.0), "two workers": row(3.9, worker_mb=49.0)}},
]
BAD = [
    clusters(row(2.1)),
    clusters(row(1.9, peak_mb=111.0)),
    clusters(row(1.9), two_threads=row(1.0, 0.75)),
    clusters(row(1.9), tracked=row(4.0)),
    {"growth": {str(n): row((n / 1e6) ** 1.1, n=n) for n in (1_000_000, 22_000_000)}},
    {"growth": {str(n): row(n / 1e6, n=n, peak_mb=3_100.0) for n in (1_000_000, 22_000_000)}},
    {"sweep-1000000": {"30 fits": row(1.0), "one thread": row(15.0), "two threads": row(1.0)}},
    {"ingest-9": {"DuckDB": row(1.0), "one core": row(1.1), "two cores": row(1.0, 0.6)}},
    {"ingest-9": {"DuckDB": row(1.0), "one core": row(0.9, peak_mb=410.0), "two cores": row(1.0, 0.6)}},
    {"ingest-9": {"DuckDB": row(1.0), "one core": row(0.9), "two cores": row(1.0, 0.7)}},
    {"distributed-9": {"one machine": row(1.0), "two workers": row(4.1, worker_mb=49.0)}},
    {"distributed-9": {"one machine": row(1.0), "two workers": row(3.9, worker_mb=51.0)}},
]


@pytest.mark.parametrize("trials", GOOD)
def test_what_keeps_its_limits_holds(limits: Any, trials: dict[str, Any]) -> None:
    assert all(figure.holds() for figure in limits.figures(trials))


@pytest.mark.parametrize("trials", BAD)
def test_each_limit_is_one(limits: Any, trials: dict[str, Any]) -> None:
    assert [figure.holds() for figure in limits.figures(trials)].count(False) == 1


def test_what_was_measured_last_is_still_understood(limits: Any) -> None:
    kept = json.loads((HERE.parents[1] / "docs" / "bench" / "jobs.json").read_text())
    assert {figure.name: figure.value for figure in limits.figures(kept["trials"])} == {
        name: row["value"] for name, row in kept["figures"].items()
    }

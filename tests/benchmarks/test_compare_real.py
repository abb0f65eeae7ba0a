"""The comparison on real pickups: one thread of the kernel against scikit-learn, in CPU seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabstand.jobs import compare
from cabstand.settings import Settings


@pytest.mark.bench
@pytest.mark.parametrize(("eps_m", "min_samples"), [(50.0, 20), (100.0, 50), (200.0, 100)])
def test_sequential_takes_a_fiftieth_of_the_baseline(
    shared: Path, tmp_path: Path, eps_m: float, min_samples: int
) -> None:
    params = compare.Params(
        str(shared / "data/pickups/uber-raw-data-apr14.head65535.csv.gz"),
        sizes=(65_535,),
        repeats=3,
        eps_m=eps_m,
        min_samples=min_samples,
        track=False,
    )
    result = compare.run(Settings(home=tmp_path / "home"), params)
    rows = {row["engine"]: row for row in result["table"]}
    assert result["agree"]
    assert rows["sequential"]["cpu_speedup"] >= 50
    assert rows["multicore"]["efficiency"] > 0

"""Every engine gives the same clustering, and a wrong name gets a hint."""

from __future__ import annotations

import numpy as np
import pytest

from cabstand.clustering import engines
from cabstand.errors import ConfigError


@pytest.mark.parametrize("name", ["sequential", "multicore", "multicore:2", "sklearn", "sklearn:2"])
@pytest.mark.parametrize("weighted", [False, True])
def test_engines_agree(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    points = np.round(rng.normal([40.7, -74.0], 0.01, (2000, 2)), 4)
    weight = rng.integers(0, 3, len(points)).astype(float) if weighted else None
    engine, workers = engines.parse(name)
    found = engine.run(points, 100.0, 10, weight, workers)
    expected = engines.named("sklearn").run(points, 100.0, 10, weight, 1)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.core, expected.core)
    assert found.n_clusters == expected.n_clusters > 0


def test_workers() -> None:
    assert engines.parse("sequential", 8)[1] == 1
    assert engines.parse("multicore", 3)[1] == 3
    assert engines.parse("sklearn:2", 3)[1] == 2
    assert engines.parse("multicore")[1] == engines.available_cores()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sequental", "did you mean sequential?"),
        ("zzz", "known: "),
        ("multicore:0", "workers"),
        ("sklearn:x", "workers"),
    ],
)
def test_a_wrong_engine_gets_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        engines.parse(text)
    assert hint in str(caught.value)

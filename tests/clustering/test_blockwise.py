"""DBSCAN block by block against one run over all points, label for label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.clustering.blocks import OWNED, Blocks
from cabstand.clustering.blockwise import Density, local_clusters, merge, relabel
from cabstand.clustering.dbscan import Clustering


def blockwise(points: np.ndarray, density: Density, n_blocks: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Go through the steps that workers share among them, in one process."""
    blocks = Blocks.balanced(points[::3], n_blocks, density.eps_m)
    parts = blocks.assign(points)
    found = {b: density.cluster(points[index]) for b, (index, _) in parts.items()}
    local = [local_clusters(points[index], index, flags, found[b], density) for b, (index, flags) in parts.items()]
    numbers, n_clusters = merge(local)
    labels, core = np.full(len(points), -99, np.int32), np.zeros(len(points), bool)
    for b, (index, flags) in parts.items():
        own = (flags & OWNED) > 0
        assert (labels[index[own]] == -99).all()
        labels[index[own]] = relabel(points[index], found[b], numbers[b], density)[own]
        core[index[own]] = found[b].core[own]
    return labels, core, n_clusters, blocks.n_blocks


def assert_equal(points: np.ndarray, density: Density, n_blocks: int) -> int:
    expected: Clustering = density.cluster(points)
    labels, core, n_clusters, n = blockwise(points, density, n_blocks)
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_array_equal(core, expected.core)
    assert n_clusters == expected.n_clusters
    return n


CENTRES = [(40.75, -73.98), (90.0, 0.0), (-90.0, 0.0), (-17.0, 180.0), (0.0, 0.0)]


@settings(max_examples=60)
@given(
    centre=st.sampled_from(CENTRES),
    n_blocks=st.integers(1, 9),
    min_samples=st.sampled_from([1, 2, 3, 5, 9]),
    n=st.integers(0, 400),
    decimals=st.sampled_from([4, 12]),
    seed=st.integers(0, 2**32 - 1),
)
def test_labels_are_those_of_one_run_anywhere_on_the_earth(
    centre: tuple[float, float], n_blocks: int, min_samples: int, n: int, decimals: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    metres = rng.choice([rng.normal(0, 400, (n, 2)), rng.uniform(-900, 900, (n, 2))])
    lat = centre[0] + metres[:, 0] / 111_195
    if abs(centre[0]) == 90:
        away = np.hypot(*metres.T) / 111_195
        lat, lon = np.copysign(90 - away, centre[0]), np.degrees(np.arctan2(metres[:, 0], metres[:, 1]))
    else:
        lon = centre[1] + metres[:, 1] / (111_195 * np.cos(np.radians(lat)))
    points = np.round(np.stack([lat, (lon + 180) % 360 - 180], axis=1), decimals)
    assert_equal(points, Density(37.3, min_samples), n_blocks)


@settings(max_examples=40)
@given(n_blocks=st.integers(1, 9), min_samples=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_labels_are_those_of_one_run_on_a_lattice(n_blocks: int, min_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 40, (300, 2)) / 1000
    assert_equal(points, Density(1.5 * 111.195, min_samples), n_blocks)


def test_border_points_between_clusters_of_other_blocks_take_the_lowest_number() -> None:
    # Many small clusters side by side, in random order, so that local and final numbers disagree everywhere.
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(np.arange(12), np.arange(12)), axis=-1).reshape(-1, 2) * 90.0
    points = np.concatenate([centres + rng.normal(0, 13, (144, 2)) for _ in range(12)])
    points = points[rng.permutation(len(points))]
    latlon = np.stack([40.7 + points[:, 0] / 111_195, -74 + points[:, 1] / 84_000], axis=1)
    for n_blocks in (2, 7, 16):
        assert assert_equal(latlon, Density(30.0, 6), n_blocks) == n_blocks


def test_a_chain_through_all_blocks_is_one_cluster() -> None:
    points = np.stack([np.linspace(40.0, 41.0, 3000), np.linspace(-75, -73, 3000)], axis=1)
    points = points[np.random.default_rng(1).permutation(3000)]
    assert_equal(points, Density(80.0, 2), 7)


def test_points_scattered_over_the_whole_earth() -> None:
    rng = np.random.default_rng(2)
    at = rng.normal(size=(3000, 3))
    at /= np.linalg.norm(at, axis=1, keepdims=True)
    points = np.stack([np.degrees(np.arcsin(at[:, 2])), np.degrees(np.arctan2(at[:, 1], at[:, 0]))], axis=1)
    for eps_m in (150_000.0, 250_000.0):
        assert_equal(points, Density(eps_m, 4), 9)


def test_what_is_too_narrow_to_cut_stays_one_block() -> None:
    assert assert_equal(np.full((500, 2), 12.0), Density(50.0, 5), 8) == 1


def test_blocks_hold_about_the_same_number_of_points() -> None:
    points = np.random.default_rng(3).normal([40.75, -73.98], 0.05, (40_000, 2))
    blocks = Blocks.balanced(points[::4], 7, 50.0)
    parts = blocks.assign(points).values()
    owned = [int(((flags & OWNED) > 0).sum()) for _, flags in parts]
    assert sum(owned) == len(points)
    assert max(owned) < 1.15 * len(points) / 7


@pytest.mark.parametrize("n", [0, 1])
def test_next_to_nothing(n: int) -> None:
    assert_equal(np.zeros((n, 2)), Density(50.0, 1), 4)

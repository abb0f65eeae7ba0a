"""What threads do together: pages merged, cells joined and clusters numbered as one slow thread would."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.inputs import read_only
from cabstand.clustering.kernels import cells, gather, labels, pages, pipeline, slots
from cabstand.clustering.kernels import threads as kernel_threads
from cabstand.clustering.kernels.cells import Cells
from cabstand.clustering.kernels.core import CellPoints
from cabstand.clustering.kernels.core_points import core_points
from cabstand.clustering.kernels.gather import Located
from cabstand.clustering.kernels.grid import make_grid
from cabstand.clustering.kernels.instructions import atomic_min, compare_and_swap
from cabstand.clustering.kernels.pages import Pages
from cabstand.clustering.kernels.threads import BLOCK, Side, Workers, chunks_done, cut, next_block, pair_up
from cabstand.clustering.kernels.union_find import find, unite

ANY = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def four() -> Iterator[Workers]:
    with ThreadPoolExecutor(4) as pool:
        yield Workers(
            4, 9, lambda function, calls: [job.result() for job in [pool.submit(function, *call) for call in calls]]
        )


@njit(nogil=True)
def _unite_all(pairs: Any, parent: Any) -> None:
    for i in range(len(pairs)):
        unite(parent, find(parent, np.int64(pairs[i, 0])), find(parent, np.int64(pairs[i, 1])))


@njit
def _find(parent: Any, cell: int) -> int:
    return find(parent, cell)


@njit
def _unite(parent: Any, a: int, b: int) -> None:
    unite(parent, find(parent, a), find(parent, b))


@njit
def _swaps_and_minima(array: Any) -> tuple[bool, bool]:
    atomic_min(array, 2, -3)
    atomic_min(array, 3, 100)
    return compare_and_swap(array, 0, 5, 7), compare_and_swap(array, 1, 1, 9)


@njit(nogil=True)
def _take(side: Side, times: Any, by: Any, who: int) -> int:
    done = 0
    while True:
        first, last = next_block(side, done)
        if first == last:
            return done
        done += 1
        times[first:last] += 1
        by[first:last] = who


def lowest_members(n: int, pairs: np.ndarray) -> list[int]:
    """Lowest member of everybody's set, slowly: by spreading the lower number until nothing changes."""
    lowest = np.arange(n)
    while True:
        before = lowest.copy()
        np.minimum.at(lowest, pairs[:, 0], before[pairs[:, 1]])
        np.minimum.at(lowest, pairs[:, 1], before[pairs[:, 0]])
        if (before == lowest).all():
            return lowest.tolist()


def test_compare_and_swap_and_atomic_min() -> None:
    array = np.arange(4, dtype=np.int32)
    assert _swaps_and_minima(array) == (False, True)
    assert array.tolist() == [0, 9, -3, 3]


@ANY
@given(n=st.integers(1, 3000), density=st.sampled_from([0.2, 0.5, 1.0, 3.0]), seed=st.integers(0, 2**32 - 1))
def test_threads_that_unite_at_once_make_one_thread_s_sets(four: Workers, n: int, density: float, seed: int) -> None:
    pairs = np.random.default_rng(seed).integers(0, n, (int(n * density) + 1, 2)).astype(np.int32)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    parent = np.arange(n, dtype=np.int32)
    four.run(_unite_all, [(pairs[i::4].copy(), parent) for i in range(4)])
    assert (parent <= np.arange(n)).all()
    root = parent
    while (root != parent[root]).any():
        root = parent[root]
    assert root.tolist() == lowest_members(n, pairs)


def test_many_threads_pull_at_one_chain(four: Workers) -> None:
    n = 200_000
    links = np.c_[np.arange(n - 1), np.arange(1, n)].astype(np.int32)
    for seed in range(5):
        mixed = np.random.default_rng(seed).permutation(np.r_[links, links[:, ::-1]])
        parent = np.arange(n, dtype=np.int32)
        four.run(_unite_all, [(mixed[i::4].copy(), parent) for i in range(4)])
        assert all(_find(parent, cell) == 0 for cell in range(0, n, 97))


@ANY
@given(edges=st.lists(st.integers(0, 20 * BLOCK), min_size=2, max_size=8).map(sorted), at_once=st.booleans())
def test_threads_that_meet_take_every_point_once(four: Workers, edges: list[int], at_once: bool) -> None:
    """Each has one piece of the stretch, before or after the other's, even if it comes when all is done."""
    sides, n = pair_up(list(itertools.pairwise(edges))), edges[-1]
    times, by = np.zeros(n, np.int64), np.full(n, -1)
    calls = [(side, times, by, i) for i, side in enumerate(sides)]
    chunks = chunks_done(sides, four.run(_take, calls) if at_once else [_take(*call) for call in calls])
    assert times.tolist() == [0] * edges[0] + [1] * (n - edges[0])
    assert [a for a, _ in chunks] + [n] == [edges[0]] + [b for _, b in chunks]
    for i, (a, b) in enumerate(chunks):
        assert (by[a:b] == i).all()


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_a_thread_that_comes_too_late_changes_nothing(threads: int) -> None:
    rng = np.random.default_rng(3)
    points = rng.normal((40.75, -73.98), 0.01, (60_000, 2))
    alone = dbscan(points, 40.0, 12)
    with pytest.MonkeyPatch.context() as patch:
        alone_too = Workers(threads, 8 * threads, lambda function, calls: [function(*call) for call in calls])
        patch.setattr(pipeline, "workers", lambda *_: nullcontext(alone_too))
        late = dbscan(points, 40.0, 12, n_threads=threads)
    assert alone.n_clusters > 1
    assert late.labels.tolist() == alone.labels.tolist()
    assert late.core.tolist() == alone.core.tolist()


@ANY
@given(
    threads=st.lists(
        st.dictionaries(st.integers(0, 40), st.lists(st.integers(0, 31), min_size=1, max_size=600), min_size=1),
        min_size=1,
        max_size=7,
    ),
    parts=st.integers(1, 9),
    page_bits=st.sampled_from([0, 1, 4, pages.PAGE_BITS]),
    data=st.data(),
)
def test_pages_of_threads_make_one_table_of_cells(
    four: Workers, threads: list[dict[int, list[int]]], parts: int, page_bits: int, data: st.DataObject
) -> None:
    """Each thread has points in some slots of its pages; every point learns which of the ordered cells is its own."""
    width = 1 << page_bits
    written, slot_list, keys_of, chunks = [], list[int](), list[int](), []
    for own in threads:
        keys = data.draw(st.permutations(list(own)))
        filled = np.zeros(len(keys), np.uint32)
        start = len(slot_list)
        for i, key in enumerate(keys):
            inside = [slot % width for slot in own[key]]
            slot_list += [i * width + slot for slot in inside]
            keys_of += [key * width + slot for slot in inside]
            filled[i] = sum(1 << slot for slot in set(inside))
        chunks.append((start, len(slot_list)))
        written.append(Pages(np.array(keys, np.int64), filled))
    of_points = np.array(slot_list, np.int32)
    found = cells.run(page_bits, written, chunks, of_points, four._replace(n_stripes=parts))
    total = Counter(keys_of)
    assert found.keys.tolist() == sorted(total)
    assert found.sizes.tolist() == [total[key] for key in sorted(total)]
    assert found.keys[of_points].tolist() == keys_of
    for counts, (a, b) in zip(found.counts, found.chunks, strict=True):
        assert counts.tolist() == [Counter(keys_of[a:b])[key] for key in sorted(total)]


@ANY
@given(
    n_cells=st.integers(1, 40),
    n_points=st.integers(0, 900),
    threads=st.integers(1, 5),
    region_bits=st.sampled_from([0, 2, 13]),
    n_samples=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_points_are_gathered_in_input_order(
    four: Workers, n_cells: int, n_points: int, threads: int, region_bits: int, n_samples: int, seed: int, kind: type
) -> None:
    """Of a sampled cell its first point and a few more are gathered, of some cells all, of others none."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 1, (n_points, 2)).astype(kind)
    cell_of = rng.integers(0, n_cells, n_points).astype(np.int32)
    chunks = cut(n_points, threads)
    counts = np.array([np.bincount(cell_of[a:b], minlength=n_cells) for a, b in chunks], np.int32)
    counts = counts.reshape(-1, n_cells)
    sizes = counts.sum(axis=0)
    wanted = np.choose(rng.integers(0, 3, n_cells), [np.zeros_like(sizes), np.minimum(sizes, n_samples), sizes])
    starts = np.r_[0, np.cumsum(wanted)].astype(np.int64)
    source = Located(read_only(points), cell_of, Cells(np.arange(n_cells), sizes, counts, chunks))
    found = gather.run(source, starts, four._replace(n_stripes=3), region_bits)
    assert np.c_[found.ys, found.xs].tolist() == points[found.rows].astype(float).tolist()
    for cell in range(n_cells):
        own = found.rows[starts[cell] : starts[cell + 1]].tolist()
        inside = [(np.flatnonzero(cell_of[a:b] == cell) + a).tolist() for a, b in chunks]
        shares = [sum(a <= row < b for row in own) for a, b in chunks]
        assert own == [row for rows, share in zip(inside, shares, strict=True) for row in rows[:share]]
        assert (
            own[:1] == np.flatnonzero(cell_of == cell)[: min(1, len(own))].tolist()
        )  # its cluster's number rests on it
        assert all(share >= min(len(rows), len(own) // threads) for rows, share in zip(inside, shares, strict=True))


@ANY
@given(n=st.integers(1, 400), seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 9))
def test_clusters_are_numbered_by_their_lowest_core_point(four: Workers, n: int, seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, n)
    n_core = (rng.integers(0, 4, n) % (sizes + 1)).astype(np.int32)
    starts = np.r_[0, np.cumsum(sizes)]
    rows = rng.permutation(starts[-1]).astype(np.int32)
    for a, b in itertools.pairwise(starts):
        rows[a:b].sort()
    parent = np.arange(n, dtype=np.int32)
    core = np.flatnonzero(n_core)
    for a, b in rng.choice(core, (n // 2, 2)) if len(core) else ():
        _unite(parent, int(a), int(b))
    firsts: dict[int, int] = {}
    for cell in core:
        root = _find(parent, int(cell))
        firsts[root] = min(firsts.get(root, 1 << 30), int(rows[starts[cell]]))
    ranks = {root: rank for rank, root in enumerate(sorted(firsts, key=firsts.__getitem__))}
    expected = [ranks[_find(parent, c)] if n_core[c] else -1 for c in range(n)]
    nowhere = np.empty(0)
    points = CellPoints(np.arange(n), n_core, starts, nowhere, nowhere, rows)
    found, n_clusters = labels.number_clusters(points, parent, four._replace(n_stripes=parts))
    assert n_clusters == len(ranks)
    assert found.tolist() == expected


@ANY
@given(n=st.integers(1, 300), share_of_core=st.sampled_from([0.0, 0.5, 1.0]), threads=st.integers(1, 9))
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_core_points_are_listed_in_order(n: int, share_of_core: float, threads: int, kind: type) -> None:
    rng = np.random.default_rng(n)
    points, core = read_only(rng.normal(0, 1, (n, 2)).astype(kind)), rng.random(n) < share_of_core
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_threads, "SMALL", 0)
        indices, found = core_points(points, core, threads)
    assert indices.tolist() == [i for i in range(n) if core[i]]
    assert found.dtype == kind
    assert found.tolist() == [points[i].tolist() for i in range(n) if core[i]]
    assert found.flags.writeable


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_sparse_points_stay_in_pages_whatever_the_number_of_threads(threads: int, four: Workers) -> None:
    """Every thread meets nearly all pages, with a share of the points: that is no reason to take them one by one."""
    n = 1_200_000
    rng = np.random.default_rng(1)
    points = rng.uniform([40.5, -74.3], [41.1, -73.6], (n, 2))  # nearly one a cell
    box = np.array([*sorted(points[:, 0])[:: n - 1], *sorted(points[:, 1])[:: n - 1]])
    grid = make_grid(box, 60.0, spherical=True)
    page_bits, found, _ = slots.run(points, grid, np.empty(n, np.int32), four._replace(n_threads=threads))
    assert page_bits == pages.PAGE_BITS
    assert len(found) == threads

"""What threads do together: pages merged, cells joined and clusters numbered as one slow thread would."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.inputs import read_only
from cabstand.clustering.kernels import layout, meet, number, pipeline, share
from cabstand.clustering.kernels.atomic import lower, swap
from cabstand.clustering.kernels.cores import core_points
from cabstand.clustering.kernels.grid import make_grid
from cabstand.clustering.kernels.kept import bring
from cabstand.clustering.kernels.layout import Book, order_cells, write_books
from cabstand.clustering.kernels.link import find, unite
from cabstand.clustering.kernels.meet import met, next_block, sides
from cabstand.clustering.kernels.share import Map, cut

ANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def run() -> Iterator[Map]:
    with ThreadPoolExecutor(4) as pool:
        yield lambda function, calls: [job.result() for job in [pool.submit(function, *call) for call in calls]]


@njit(nogil=True)
def _unite_all(pairs: Any, parent: Any) -> None:
    for i in range(len(pairs)):
        unite(parent, find(parent, np.int64(pairs[i, 0])), find(parent, np.int64(pairs[i, 1])))


@njit
def _swaps_and_lowers(array: Any) -> tuple[bool, bool]:
    lower(array, 2, -3)
    lower(array, 3, 100)
    return swap(array, 0, 5, 7), swap(array, 1, 1, 9)


@njit(nogil=True)
def _take(start: int, stop: int, down: bool, taken: Any, times: Any, by: Any, who: int) -> int:
    done = 0
    while True:
        first, last = next_block(start, stop, down, taken, done)
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


def test_swap_and_lower() -> None:
    array = np.arange(4, dtype=np.int32)
    assert _swaps_and_lowers(array) == (False, True)
    assert array.tolist() == [0, 9, -3, 3]


@ANY
@given(n=st.integers(1, 3000), density=st.sampled_from([0.2, 0.5, 1.0, 3.0]), seed=st.integers(0, 2**32 - 1))
def test_threads_that_unite_at_once_make_one_thread_s_sets(run: Map, n: int, density: float, seed: int) -> None:
    pairs = np.random.default_rng(seed).integers(0, n, (int(n * density) + 1, 2)).astype(np.int32)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    parent = np.arange(n, dtype=np.int32)
    run(_unite_all, [(pairs[i::4].copy(), parent) for i in range(4)])
    assert (parent <= np.arange(n)).all()
    root = parent
    while (root != parent[root]).any():
        root = parent[root]
    assert root.tolist() == lowest_members(n, pairs)


def test_many_threads_pull_at_one_chain(run: Map) -> None:
    n = 200_000
    links = np.c_[np.arange(n - 1), np.arange(1, n)].astype(np.int32)
    for seed in range(5):
        mixed = np.random.default_rng(seed).permutation(np.r_[links, links[:, ::-1]])
        parent = np.arange(n, dtype=np.int32)
        run(_unite_all, [(mixed[i::4].copy(), parent) for i in range(4)])
        assert all(find(parent, cell) == 0 for cell in range(0, n, 97))


@ANY
@given(edges=st.lists(st.integers(0, 20 * meet.BLOCK), min_size=2, max_size=8).map(sorted), at_once=st.booleans())
def test_threads_that_meet_take_every_point_once(run: Map, edges: list[int], at_once: bool) -> None:
    """Each has one piece of the stretch, before or after the other's, even if it comes when all is done."""
    ways, n = sides(list(itertools.pairwise(edges))), edges[-1]
    times, by = np.zeros(n, np.int64), np.full(n, -1)
    calls = [(*way, times, by, i) for i, way in enumerate(ways)]
    chunks = met(ways, run(_take, calls) if at_once else [_take(*call) for call in calls])
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
        patch.setattr(pipeline, "threads", lambda _: share.threads(1))
        late = dbscan(points, 40.0, 12, n_threads=threads)
    assert alone.n_clusters > 1
    assert late.labels.tolist() == alone.labels.tolist()
    assert late.core.tolist() == alone.core.tolist()


@ANY
@given(
    books=st.lists(
        st.dictionaries(st.integers(0, 40), st.lists(st.integers(0, 31), min_size=1, max_size=600), min_size=1),
        min_size=1,
        max_size=7,
    ),
    parts=st.integers(1, 9),
    page_bits=st.sampled_from([0, 1, 4, layout.PAGE_BITS]),
    data=st.data(),
)
def test_books_make_one_directory(
    run: Map, books: list[dict[int, list[int]]], parts: int, page_bits: int, data: st.DataObject
) -> None:
    """Each book has points in some slots of its pages; every point learns which of the ordered cells is its own."""
    width = 1 << page_bits
    written, slots, cells, chunks = [], list[int](), list[int](), []
    for pages in books:
        keys = data.draw(st.permutations(list(pages)))
        filled = np.zeros(len(keys), np.uint32)
        start = len(slots)
        for i, key in enumerate(keys):
            inside = [slot % width for slot in pages[key]]
            slots += [i * width + slot for slot in inside]
            cells += [key * width + slot for slot in inside]
            filled[i] = sum(1 << slot for slot in set(inside))
        chunks.append((start, len(slots)))
        written.append(Book(np.array(keys, np.int64), filled))
    of_points = np.array(slots, np.int32)
    found = order_cells(written, page_bits, chunks, of_points, run, parts)
    total = Counter(cells)
    assert found.keys.tolist() == sorted(total)
    assert found.sizes.tolist() == [total[key] for key in sorted(total)]
    assert found.keys[of_points].tolist() == cells
    for counts, (a, b) in zip(found.counts, found.chunks, strict=True):
        assert counts.tolist() == [Counter(cells[a:b])[key] for key in sorted(total)]


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
def test_kept_points_are_brought_together_in_input_order(
    run: Map, n_cells: int, n_points: int, threads: int, region_bits: int, n_samples: int, seed: int, kind: type
) -> None:
    """Of a sampled cell its first point and a few more are kept, of some cells all, of others none."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 1, (n_points, 2)).astype(kind)
    cells = rng.integers(0, n_cells, n_points).astype(np.int32)
    chunks = cut(n_points, threads)
    counts = np.array([np.bincount(cells[a:b], minlength=n_cells) for a, b in chunks], np.int32)
    counts = counts.reshape(-1, n_cells)
    sizes = counts.sum(axis=0)
    wanted = np.choose(rng.integers(0, 3, n_cells), [np.zeros_like(sizes), np.minimum(sizes, n_samples), sizes])
    starts = np.r_[0, np.cumsum(wanted)].astype(np.int64)
    kept = bring(read_only(points), cells, counts, starts, chunks, run, 3, region_bits)
    assert np.c_[kept.ys, kept.xs].tolist() == points[kept.rows].astype(float).tolist()
    for cell in range(n_cells):
        own = kept.rows[starts[cell] : starts[cell + 1]].tolist()
        inside = [(np.flatnonzero(cells[a:b] == cell) + a).tolist() for a, b in chunks]
        shares = [sum(a <= row < b for row in own) for a, b in chunks]
        assert own == [row for rows, share in zip(inside, shares, strict=True) for row in rows[:share]]
        assert own[:1] == np.flatnonzero(cells == cell)[: min(1, len(own))].tolist()  # its cluster's number rests on it
        assert all(share >= min(len(rows), len(own) // threads) for rows, share in zip(inside, shares, strict=True))


@ANY
@given(n=st.integers(1, 400), seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 9))
def test_clusters_are_numbered_by_their_lowest_core_point(run: Map, n: int, seed: int, parts: int) -> None:
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
        unite(parent, find(parent, int(a)), find(parent, int(b)))
    firsts: dict[int, int] = {}
    for cell in core:
        root = int(find(parent, int(cell)))
        firsts[root] = min(firsts.get(root, 1 << 30), int(rows[starts[cell]]))
    ranks = {root: rank for rank, root in enumerate(sorted(firsts, key=firsts.__getitem__))}
    expected = [ranks[int(find(parent, c))] if n_core[c] else -1 for c in range(n)]
    labels, n_clusters = number.number(starts, n_core, rows, parent, run, cut(n, parts))
    assert n_clusters == len(ranks)
    assert labels.tolist() == expected


@ANY
@given(n=st.integers(1, 300), share_of_core=st.sampled_from([0.0, 0.5, 1.0]), threads=st.integers(1, 9))
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_core_points_are_listed_in_order(n: int, share_of_core: float, threads: int, kind: type) -> None:
    rng = np.random.default_rng(n)
    points, core = read_only(rng.normal(0, 1, (n, 2)).astype(kind)), rng.random(n) < share_of_core
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(share, "SMALL", 0)
        indices, found = core_points(points, core, threads)
    assert indices.tolist() == [i for i in range(n) if core[i]]
    assert found.dtype == kind
    assert found.tolist() == [points[i].tolist() for i in range(n) if core[i]]
    assert found.flags.writeable


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_sparse_points_stay_in_pages_whatever_the_number_of_threads(threads: int, run: Map) -> None:
    """Every thread meets nearly all pages, with a share of the points: that is no reason to take them one by one."""
    n = 1_200_000
    rng = np.random.default_rng(1)
    points = rng.uniform([40.5, -74.3], [41.1, -73.6], (n, 2))  # nearly one a cell
    box = np.array([*sorted(points[:, 0])[:: n - 1], *sorted(points[:, 1])[:: n - 1]])
    grid, bands = make_grid(box, 60.0, spherical=True)
    page_bits, books, _ = write_books(points, grid, bands, cut(n, threads), np.empty(n, np.int32), run)
    assert page_bits == layout.PAGE_BITS
    assert len(books) == threads

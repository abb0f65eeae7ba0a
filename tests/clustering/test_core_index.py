"""The index against a search of every pair, and against files that lie."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.clustering import core_index, metrics, npz, point_tree
from cabstand.clustering.core_index import CoreIndex
from cabstand.errors import ConfigError, DataError

FROZEN = Path(__file__).parents[1] / "formats" / "hotspots"


def naive(
    cores: np.ndarray, ids: np.ndarray, eps: float, points: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Look at every pair: lowest cluster among the nearest core points, if within eps."""
    cluster, distance = np.full(len(points), -1, np.int32), np.full(len(points), np.nan)
    for i, point in enumerate(points):
        if len(cores):
            reduced = metrics.reduced(point[None], cores, metric)
            best = reduced.min()
            apart = metrics.to_distance(best, metric)
            if apart <= eps:
                cluster[i], distance[i] = ids[reduced == best].min(), apart
    return cluster, distance


def assert_same(index: CoreIndex, cores: np.ndarray, ids: np.ndarray, eps: float, points: np.ndarray) -> None:
    cluster, distance = index.query(points)
    expected, expected_distance = naive(cores, ids, eps, points, index.metric)
    np.testing.assert_array_equal(cluster, expected)
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-12)
    assert cluster.dtype == np.int32
    assert distance.dtype == np.float64


CENTRES = [(40.75, -73.98), (90.0, 0.0), (-90.0, 10.0), (89.9999, 120.0), (0.0, 180.0), (-16.5, -179.9999), (0.0, 0.0)]


@settings(max_examples=150)
@given(
    centre=st.sampled_from(CENTRES),
    n=st.sampled_from([0, 1, 2, 15, 16, 17, 63, 64, 65, 300]),
    spread=st.sampled_from([0.0, 1e-4, 1e-2, 3.0]),
    decimals=st.sampled_from([4, 15]),
    eps=st.sampled_from([0.5, 50.0, 5_000.0, 1e6, 2.1e7]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_search_of_every_pair_anywhere(
    centre: tuple[float, float], n: int, spread: float, decimals: int, eps: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def draw(count: int) -> np.ndarray:
        points = np.array(centre) + rng.normal(0, 1, (count, 2)) * [spread, spread * rng.choice([1, 50])]
        over_pole = np.abs(points[:, 0]) > 90
        points[:, 0] = np.where(over_pole, np.sign(points[:, 0]) * 180 - points[:, 0], points[:, 0])
        points[over_pole, 1] += 180
        return np.round(points, decimals)

    cores, ids = draw(n), rng.integers(0, 5, n)
    index = CoreIndex.build(cores, ids, eps)
    points = np.concatenate([draw(20), cores[:10], -cores[:5], rng.uniform([-90, -180], [90, 180], (10, 2))])
    assert_same(index, cores, ids, eps, points)


@settings(max_examples=50)
@given(n=st.integers(0, 200), eps=st.sampled_from([0.5, 1.0, 3.0]), seed=st.integers(0, 2**32 - 1))
def test_equals_the_search_of_every_pair_in_the_plane(n: int, eps: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cores, ids = rng.integers(-20, 20, (n, 2)).astype(float), rng.integers(0, 5, n)
    points = np.concatenate([rng.integers(-25, 25, (30, 2)), rng.normal(0, 20, (30, 2))])
    assert_same(CoreIndex.build(cores, ids, eps, metric="euclidean"), cores, ids, eps, points)


def test_large_batches_are_split_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    cores = np.stack([np.full(2000, 89.999), rng.uniform(-180, 180, 2000)], axis=1)  # all equally far from the pole
    points = np.concatenate([np.full((30, 2), 90.0), cores[:50]])
    index = CoreIndex.build(cores, np.arange(2000) % 7, 500.0)
    whole = index.query(points)
    monkeypatch.setattr(point_tree, "MOST_PAIRS", 256)
    np.testing.assert_array_equal(index.query(points), whole)
    assert_same(index, cores, np.arange(2000) % 7, 500.0, points)


def test_a_longitude_counted_once_more_round_the_earth_is_the_same_place() -> None:
    index = CoreIndex.build([(40.75, -73.98)], [4], 50.0)
    cluster, distance = index.query([(40.75, -73.98 + 360), (40.75, -73.98 - 360)])
    assert cluster.tolist() == [4, 4]
    assert (distance < 1e-6).all()


def test_places_that_are_nowhere_have_no_cluster() -> None:
    index = CoreIndex.build([(90.0, 0.0)], [0], 1e7)
    cluster, distance = index.query([(math.nan, 0), (0, math.inf), (90.001, 0), (89, 5)])
    assert cluster.tolist() == [-1, -1, -1, 0]
    assert np.isnan(distance[:3]).all()


@pytest.mark.parametrize("metric", metrics.METRICS)
@pytest.mark.parametrize("n_cores", [0, 1, 100])
@pytest.mark.parametrize("n", [0, 1, 5_000])
def test_a_batch_without_any_valid_point_has_no_cluster(n: int, n_cores: int, metric: str) -> None:
    index = CoreIndex.build(np.full((n_cores, 2), 40.0), np.zeros(n_cores), 50.0, metric=metric)
    cluster, distance = index.query(np.full((n, 2), math.nan))
    assert cluster.tolist() == [-1] * n
    assert np.isnan(distance).all()
    assert len(distance) == n


def test_identical_places_are_kept_once() -> None:
    assert len(CoreIndex.build([(1, 2)] * 1000 + [(1, 3)], [5] * 500 + [3] * 501, 50.0)) == 2


@pytest.mark.parametrize("bad", [{"eps_m": 0.0}, {"eps_m": math.nan}, {"metric": "cosine"}])
def test_a_wrong_parameter_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CoreIndex.build([(1, 2)], [0], **({"eps_m": 50.0} | bad))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("points", "ids"), [([(1, 2)], [-1]), ([(1, math.nan)], [0]), ([(91, 0)], [0]), ([(1, 2)], [])]
)
def test_wrong_core_points_are_refused(points: list[tuple[float, float]], ids: list[int]) -> None:
    with pytest.raises(DataError):
        CoreIndex.build(points, ids, 50.0)


def sample(n: int = 500, metric: str = "haversine") -> CoreIndex:
    rng = np.random.default_rng(1)
    return CoreIndex.build(rng.uniform([40, -74], [41, -73], (n, 2)), rng.integers(0, 9, n), 2_000.0, metric=metric)


def saved(index: CoreIndex) -> bytes:
    buffer = io.BytesIO()
    index.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("metric", metrics.METRICS)
@pytest.mark.parametrize("n", [0, 1, 500])
def test_a_saved_index_answers_alike(tmp_path: Path, n: int, metric: str) -> None:
    index = sample(n, metric)
    index.save(tmp_path / "hotspots.npz")
    points = np.random.default_rng(2).uniform([39.9, -74.1], [41.1, -72.9], (200, 2))
    for source in (tmp_path / "hotspots.npz", saved(index)):
        again = CoreIndex.load(source)
        np.testing.assert_array_equal(again.query(points), index.query(points))
        assert (again.eps_m, again.metric) == (index.eps_m, metric)


def test_equal_indexes_are_equal_bytes() -> None:
    assert saved(sample()) == saved(sample())


def test_the_first_published_format_is_still_read() -> None:
    index = CoreIndex.load(FROZEN / "v1.npz")
    answers = np.load(FROZEN / "v1.answers.npz", allow_pickle=False)
    cluster, distance = index.query(answers["points"])
    np.testing.assert_array_equal(cluster, answers["cluster"])
    np.testing.assert_allclose(distance, answers["distance_m"], rtol=1e-12)


def with_arrays(**changes: np.ndarray) -> bytes:
    with np.load(io.BytesIO(saved(sample())), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files} | changes
    buffer = io.BytesIO()
    npz.write(buffer, arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"schema_version": np.int64(2)}, "version 2"),
        ({"metric": np.int64(7)}, "metric 7"),
        ({"eps_m": np.float64(-1)}, "eps_m"),
        ({"points": np.zeros((500, 3))}, "pairs"),
        ({"points": np.zeros((500, 2), np.float32)}, "float32"),
        ({"points": np.full((500, 2), np.nan)}, "out of range"),
        ({"points": np.zeros((499, 2))}, "500"),
        ({"points": np.linspace(40, -40, 1000).reshape(500, 2)}, "order"),
        ({"clusters": np.full(500, -3, np.int32)}, "cluster"),
        ({"more": np.zeros(1)}, "unexpected"),
    ],
)
def test_a_file_with_wrong_content_is_refused(changes: dict[str, np.ndarray], word: str) -> None:
    with pytest.raises(DataError, match=word):
        CoreIndex.load(with_arrays(**changes))


def test_a_file_that_unpacks_to_more_than_allowed_is_refused_unread() -> None:
    bomb = with_arrays(points=np.zeros((1 << 23, 2)))
    assert len(bomb) < 1 << 20
    with pytest.raises(DataError, match="more than"):
        CoreIndex.load(bomb, max_bytes=1 << 26)


def test_a_shape_that_its_content_does_not_fill_is_refused() -> None:
    huge = saved(sample())
    source, target = zipfile.ZipFile(io.BytesIO(huge)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            archive.writestr(name, content.replace(b"(500, 2)", b"(1<<40,)") if name == "points.npy" else content)
    with pytest.raises(DataError):
        CoreIndex.load(target.getvalue())
    lied = io.BytesIO()
    with zipfile.ZipFile(lied, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name).replace(b"(500, 2)", b"(900, 2)"))
    with pytest.raises(DataError, match="declares"):
        CoreIndex.load(lied.getvalue())


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file", saved(sample())[:-100]])
def test_what_is_no_such_file_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(DataError) as error:
        CoreIndex.load(content)
    assert "\n" not in str(error.value)


def test_a_file_with_any_byte_changed_is_refused_or_answers() -> None:
    rng, whole = np.random.default_rng(5), saved(sample(60))
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        try:
            CoreIndex.load(bytes(content)).query([(40.5, -73.5)])
        except DataError:
            continue


def test_it_needs_numpy_alone() -> None:
    code = "import sys; import cabstand.clustering.core_index; print({'numba', 'scipy', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_written_part_by_part_it_is_the_same_file() -> None:
    rng = np.random.default_rng(8)
    points = np.round(rng.normal([40.7, -74.0], 0.01, (4_000, 2)), 3)
    index = CoreIndex.build(points, np.zeros(len(points)), 50.0)
    whole, streamed = io.BytesIO(), io.BytesIO()
    index.save(whole)

    def parts() -> list[core_index.Part]:
        return list(zip(np.array_split(index.points, 7), np.array_split(index.clusters, 7), strict=True))

    core_index.write_parts(streamed, len(index), parts, 50.0)
    assert streamed.getvalue() == whole.getvalue()
    for wrong in (len(index) - 1, len(index) + 1):
        with pytest.raises(DataError, match="than its shape declares"):
            core_index.write_parts(io.BytesIO(), wrong, parts, 50.0)

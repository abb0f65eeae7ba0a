"""GeoDBSCAN: scikit-learn's conventions, tables of any maker, prediction, and nothing of the platform."""

from __future__ import annotations

import pickle
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.exceptions import NotFittedError

from cabstand import GeoDBSCAN
from clustering.oracle import EARTH_RADIUS_M

TOWN = np.random.default_rng(5).normal([40.75, -73.98], 0.003, (800, 2))


def as_frame(points: np.ndarray, *names: str) -> Any:
    import pandas as pd

    return pd.DataFrame(points, columns=list(names))


def test_two_line_change_from_scikit_learn() -> None:
    theirs = DBSCAN(eps=60 / EARTH_RADIUS_M, min_samples=8, metric="haversine").fit(np.radians(TOWN))
    ours = GeoDBSCAN(eps_m=60, min_samples=8).fit(TOWN)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_array_equal(ours.core_sample_indices_, theirs.core_sample_indices_)
    np.testing.assert_array_equal(ours.components_, TOWN[theirs.core_sample_indices_])


def test_tables_of_any_maker() -> None:
    import pandas as pd
    import pyarrow as pa

    wanted = GeoDBSCAN().fit_predict(TOWN)
    columns = {"lat": TOWN[:, 0], "lon": TOWN[:, 1]}
    for table in (pd.DataFrame(columns), pa.table(columns)):
        model = GeoDBSCAN().fit(table)
        np.testing.assert_array_equal(model.labels_, wanted)
        assert list(model.feature_names_in_) == ["lat", "lon"]
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(pd.DataFrame({"x": [1.0], "y": [2.0]}))
    assert not hasattr(model.fit(TOWN), "feature_names_in_")


def test_polars_speaks_the_same_protocol() -> None:
    polars = pytest.importorskip("polars")
    model = GeoDBSCAN().fit(polars.DataFrame({"lat": TOWN[:, 0], "lon": TOWN[:, 1]}))
    np.testing.assert_array_equal(model.labels_, GeoDBSCAN().fit_predict(TOWN))
    assert list(model.feature_names_in_) == ["lat", "lon"]


LONGITUDE_FIRST = [
    ("lon", "lat"),
    ("lng", "lat"),
    ("long", "lat"),
    ("longitude", "latitude"),
    ("Longitude", "Latitude"),
    ("x", "y"),
    ("X", "Y"),
    ("coord_x", "coord_y"),
    ("x1", "y1"),
    ("start_lng", "start_lat"),
    ("startLng", "startLat"),
    ("startlon", "startlat"),
    ("end_lng", "end_lat"),
    ("pickup_longitude", "pickup_latitude"),
    ("Start_Lon", "Start_Lat"),
    ("dropoff_lon", "dropoff_lat"),
    ("Pickup Centroid Longitude", "Pickup Centroid Latitude"),
    ("lon_deg", "lat_deg"),
    ("lng", "place"),
    ("place", "latitude"),
]


@pytest.mark.parametrize("maker", ["pandas.DataFrame", "polars.DataFrame", "pyarrow.table"])
@pytest.mark.parametrize("names", LONGITUDE_FIRST)
def test_tables_with_longitude_first_are_refused(names: tuple[str, str], maker: str) -> None:
    module, _, function = maker.partition(".")
    table = getattr(pytest.importorskip(module), function)(dict(zip(names, TOWN.T[::-1], strict=True)))
    fitted = GeoDBSCAN().fit(TOWN)
    for call in (GeoDBSCAN().fit, GeoDBSCAN().fit_predict, fitted.predict):
        with pytest.raises(ValueError, match=f"columns {names[0]}, {names[1]}: longitude comes first") as error:
            call(table)
        assert "\n" not in str(error.value)
    GeoDBSCAN(metric="euclidean").fit(table)  # the order makes no difference in the plane


@pytest.mark.parametrize(
    "names",
    [
        *[(second, first) for first, second in LONGITUDE_FIRST if "place" not in (first, second)],
        ("x0", "x1"),
        ("x", "z"),
        ("col0", "col1"),
        ("platform", "belong"),
        ("flat", "balloon"),
    ],
)
def test_other_column_names_are_accepted(names: tuple[str, str]) -> None:
    table = as_frame(TOWN, *names)
    model = GeoDBSCAN().fit(table)
    np.testing.assert_array_equal(model.labels_, GeoDBSCAN().fit_predict(TOWN))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[[names[1], names[0]]])


def test_clone_parameters_and_repr() -> None:
    model = GeoDBSCAN(eps_m=75, min_samples=4, metric="euclidean", n_jobs=2)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(eps_m=10.0) is copy
    assert repr(copy) == "GeoDBSCAN(eps_m=10.0, metric='euclidean', min_samples=4, n_jobs=2)"
    with pytest.raises(ValueError, match="Invalid parameter 'eps'"):
        copy.set_params(eps=1)


def test_pickle_before_and_after_prediction() -> None:
    model = GeoDBSCAN(min_samples=5).fit(TOWN)
    asked = model.predict(TOWN[:20])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.labels_, model.labels_)
    np.testing.assert_array_equal(again.predict(TOWN[:20]), asked)


def test_predict() -> None:
    model = GeoDBSCAN(eps_m=60, min_samples=8, n_jobs=-1).fit(TOWN)
    labels, distance_m = model.predict(TOWN, return_distance=True)
    core = model.core_sample_indices_
    np.testing.assert_array_equal(labels[core], model.labels_[core])
    np.testing.assert_array_equal(distance_m[core], 0)
    np.testing.assert_array_equal(labels == -1, model.labels_ == -1)
    assert np.isnan(distance_m[labels == -1]).all()
    assert (distance_m[labels >= 0] <= 60).all()
    np.testing.assert_array_equal(model.predict([[0.0, 0.0]]), [-1])


CHANGES = [
    {"eps_m": 1.0},
    {"eps_m": 5_000},
    {"eps_m": "far"},
    {"metric": "euclidean"},
    {"metric": None},
    {"min_samples": 1},
    {"n_jobs": "2"},
    {"eps_m": 3.0, "metric": "euclidean", "min_samples": 0, "n_jobs": 0},
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("first", ["predict before", "no predict before", "pickled"])
def test_set_params_does_not_change_a_fitted_model(first: str, change: dict[str, object]) -> None:
    points = np.concatenate([TOWN, TOWN + 0.0003, TOWN + 0.02])
    wanted = GeoDBSCAN(eps_m=60, min_samples=8).fit(TOWN).predict(points, return_distance=True)
    model = GeoDBSCAN(eps_m=60, min_samples=8).fit(TOWN)
    if first == "predict before":
        model.predict(points)
    model.set_params(**change)
    if first == "pickled":
        model = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict(points, return_distance=True), wanted)
    with pytest.raises(ValueError, match="longitude comes first"):
        model.predict(as_frame(points[:, ::-1], "lon", "lat"))


def test_a_fit_that_fails_leaves_the_fitted_model_as_it_was() -> None:
    frame = as_frame(TOWN, "lat", "lon")
    model = GeoDBSCAN(eps_m=60, min_samples=8).fit(frame)
    wanted = model.predict(frame)
    for change, points in (({"metric": "cosine"}, TOWN), ({"metric": "haversine"}, TOWN + 90), ({"n_jobs": 0}, TOWN)):
        with pytest.raises(ValueError, match=r"metric|latitude|n_jobs"):
            model.set_params(**change).fit(points)
        np.testing.assert_array_equal(model.predict(frame), wanted)
        assert list(model.feature_names_in_) == ["lat", "lon"]


@pytest.mark.parametrize("metric", ["haversine", "euclidean"])
def test_predict_of_no_points(metric: str) -> None:
    import pandas as pd

    for points in (TOWN, [[0.0, 0.0], [9.0, 9.0]]):  # with clusters and without
        model = GeoDBSCAN(min_samples=5, metric=metric).fit(points)
        for batch in ([], (), np.empty((0, 2)), np.empty((0, 2), np.float32), pd.DataFrame({"lat": [], "lon": []})):
            labels, distance_m = model.predict(batch, return_distance=True)
            assert (labels.shape, labels.dtype) == ((0,), np.int32)
            assert (distance_m.shape, distance_m.dtype) == ((0,), np.float64)


def test_predict_of_points_beyond_the_poles_alone() -> None:
    model = GeoDBSCAN(min_samples=5).fit(TOWN)
    for n in (1, 5_000):  # one batch of the index and two
        labels, distance_m = model.predict(np.full((n, 2), [90.5, -73.98]), return_distance=True)
        assert (labels == -1).all()
        assert np.isnan(distance_m).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predict_names_the_first_row_that_is_not_finite(value: float) -> None:
    model = GeoDBSCAN(min_samples=5).fit(TOWN)
    for batch, row in (([[value, value]], 0), ([[40.75, -73.98], [40.75, value], [value, -73.98]], 1)):
        with pytest.raises(ValueError, match=rf"^row {row}: a coordinate is NaN or infinite$"):
            model.predict(batch)


def test_predict_needs_fit() -> None:
    with pytest.raises(NotFittedError):
        GeoDBSCAN().predict(TOWN)


WRONG_NUMBERS = [
    "2",
    b"2",
    [2],
    {},
    (2,),
    np.array([2, 3]),
    np.array([2.0]),
    np.bool_(True),
    True,
    2j,
    np.complex128(2),
]
WRONG = {
    "eps_m": [*WRONG_NUMBERS, None, 0, -1, np.nan, np.inf, 10**400],
    "min_samples": [*WRONG_NUMBERS, None, 0, -1, 1.0, 1.5, np.float64(3), np.nan],
    "n_jobs": [*WRONG_NUMBERS, 0, 1.0, 1.5, np.float64(3), np.nan],
    "metric": [None, 1, "cosine", b"haversine", ["haversine"], {}, np.array(["haversine", "euclidean"]), len],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_parameter_is_one_line_that_names_it(name: str, value: object) -> None:
    for points in (TOWN, as_frame(TOWN, "lat", "lon")):
        with pytest.raises(ValueError, match=name) as error:
            GeoDBSCAN(**{name: value}).fit(points)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["2", "balanced", ["a"] * len(TOWN), [1.0], [None] * len(TOWN), object(), {}])
def test_a_wrong_weight_is_one_line_that_names_it(value: object) -> None:
    with pytest.raises(ValueError, match="sample_weight") as error:
        GeoDBSCAN().fit(TOWN, sample_weight=value)
    assert "\n" not in str(error.value)


def test_numbers_of_any_type_are_parameters() -> None:
    wanted = GeoDBSCAN(eps_m=50, min_samples=5).fit_predict(TOWN)
    for eps_m in (50.0, np.float32(50), np.int16(50), Fraction(100, 2)):
        for count in (np.int8(5), np.uint64(5)):
            model = GeoDBSCAN(eps_m=eps_m, min_samples=count, n_jobs=np.int32(1))  # type: ignore[arg-type]
            np.testing.assert_array_equal(model.fit_predict(TOWN), wanted)
    assert (GeoDBSCAN(min_samples=10**30).fit_predict(TOWN) == -1).all()


def test_latitude_beyond_the_pole() -> None:
    with pytest.raises(ValueError, match=r"row 1: latitude 91 is beyond 90 degrees"):
        GeoDBSCAN().fit([[0.0, 0.0], [91.0, 0.0]])


def test_needs_numpy_and_numba_alone() -> None:
    code = (
        "import sys; from cabstand import GeoDBSCAN; GeoDBSCAN(min_samples=1).fit_predict([[0.0, 0.0]]);"
        "print({'sklearn', 'pandas', 'pyarrow', 'pydantic', 'boto3', 'typer', 'dask'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""GeoDBSCAN in scikit-learn's metadata routing: weights reach it through a pipeline, as they reach DBSCAN."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.metadata_routing import UNCHANGED, get_routing_for_object

from cabstand import GeoDBSCAN

POINTS = np.random.default_rng(6).normal([40.75, -73.98], 0.003, (400, 2))
WEIGHT = np.random.default_rng(7).integers(0, 4, 400)


@pytest.fixture
def routing() -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def requests(estimator: Any, method: str) -> dict[str, Any]:
    found: dict[str, Any] = getattr(get_routing_for_object(estimator), method).requests
    return found


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("alias", [True, False, None, "weight"])
def test_requests_are_those_of_scikit_learns_dbscan(alias: bool | str | None) -> None:
    assert requests(GeoDBSCAN(), "fit") == requests(DBSCAN(), "fit") == {"sample_weight": None}
    ours, theirs = GeoDBSCAN(), DBSCAN()
    assert ours.set_fit_request(sample_weight=alias) is ours
    theirs.set_fit_request(sample_weight=alias)
    assert requests(ours, "fit") == requests(theirs, "fit") == {"sample_weight": alias}
    for same in (clone(ours), pickle.loads(pickle.dumps(ours)), ours.set_fit_request(sample_weight=UNCHANGED)):
        assert requests(same, "fit") == {"sample_weight": alias}
    assert requests(GeoDBSCAN(), "fit") == {"sample_weight": None}


@pytest.mark.usefixtures("routing")
def test_a_pipeline_passes_the_weights() -> None:
    wanted = GeoDBSCAN(min_samples=6).fit_predict(POINTS, sample_weight=WEIGHT)
    for alias, keyword in ((True, "sample_weight"), ("weight", "weight")):
        model = GeoDBSCAN(min_samples=6).set_fit_request(sample_weight=alias)
        pipeline = make_pipeline(FunctionTransformer(), model).fit(POINTS, **{keyword: WEIGHT})
        np.testing.assert_array_equal(pipeline[-1].labels_, wanted)
    assert (wanted != GeoDBSCAN(min_samples=6).fit_predict(POINTS)).any()


@pytest.mark.usefixtures("routing")
def test_a_pipeline_passes_return_distance() -> None:
    model = GeoDBSCAN(min_samples=5).set_predict_request(return_distance=True)
    pipeline = make_pipeline(FunctionTransformer(), model).fit(POINTS)
    labels, distance_m = pipeline.predict(POINTS, return_distance=True)
    np.testing.assert_array_equal(labels == -1, np.isnan(distance_m))


@pytest.mark.usefixtures("routing")
def test_weights_that_nobody_requested_are_refused() -> None:
    pipeline = make_pipeline(FunctionTransformer(), GeoDBSCAN())
    with pytest.raises(UnsetMetadataPassedError, match=r"GeoDBSCAN\.fit"):
        pipeline.fit(POINTS, sample_weight=WEIGHT)
    with pytest.raises(TypeError):
        GeoDBSCAN().set_fit_request(weights=True)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="alias"):
        GeoDBSCAN().set_fit_request(sample_weight="no identifier")


def test_requests_need_routing_to_be_enabled() -> None:
    for estimator in (GeoDBSCAN(), DBSCAN()):
        with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
            estimator.set_fit_request(sample_weight=True)

"""`GeoDBSCAN`, the public estimator: it follows scikit-learn's conventions and does not need scikit-learn."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import parameters
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.dbscan import dbscan
from cabstand.clustering.engines import available_cores
from cabstand.clustering.inputs import as_finite_points, as_points, as_weight, check_names, column_names, read_only
from cabstand.clustering.kernels.core_points import core_points
from cabstand.clustering.metadata import MetadataConsumer
from cabstand.clustering.prediction import Predictor
from cabstand.errors import CabstandError


class GeoDBSCAN(MetadataConsumer):
    """Exact DBSCAN of points on the Earth, in metres.

    Every label equals that of ``sklearn.cluster.DBSCAN(eps=eps_m / 6371008.8, metric="haversine")`` on the same points
    in radians. Memory grows with the number of points, not with the number of their neighbours.

    Parameters
    ----------
    eps_m : float, default 50.0
        Largest distance in metres between two neighbours.
    min_samples : int, default 10
        Number of points (or total weight) in the neighbourhood of a core point, the point itself included.
    metric : {"haversine", "euclidean"}, default "haversine"
        Great-circle distance between latitudes and longitudes in degrees, on a sphere of radius 6,371,008.8 m; or
        straight distance between x and y in metres.
    n_jobs : int, optional
        Number of threads: 1 by default, -1 for all processors, -2 for all but one. The result does not depend on it.

    Attributes
    ----------
    labels_ : ndarray of int32, shape (n,)
        Cluster of each point, -1 for noise. Clusters are numbered by their first core point; a border point belongs to
        the lowest-numbered cluster with a core point within `eps_m`.
    core_sample_indices_ : ndarray of int64, shape (n_core,)
        Indices of the core points, ascending.
    components_ : ndarray of float32 or float64, shape (n_core, 2)
        Copy of the core points.
    n_features_in_ : int
        Number of columns, always 2.
    feature_names_in_ : ndarray of str, shape (2,)
        Column names; only after fitting a table whose column names are all strings.

    References
    ----------
    Ester, Kriegel, Sander, Xu: A density-based algorithm for discovering clusters, KDD 1996.
    Schubert, Sander, Ester, Kriegel, Xu: DBSCAN revisited, revisited, TODS 42(3), 2017.

    Examples
    --------
    >>> from cabstand import GeoDBSCAN
    >>> pickups = [[40.7580, -73.9855], [40.7581, -73.9856], [40.6413, -73.7781]]
    >>> GeoDBSCAN(eps_m=50, min_samples=2).fit_predict(pickups)
    array([ 0,  0, -1], dtype=int32)
    """

    _estimator_type = "clusterer"

    labels_: NDArray[np.int32]
    core_sample_indices_: NDArray[np.int64]
    components_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self, eps_m: float = 50.0, min_samples: int = 10, metric: str = "haversine", n_jobs: int | None = None
    ) -> None:
        self.eps_m = eps_m
        self.min_samples = min_samples
        self.metric = metric
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> GeoDBSCAN:  # noqa: N803 (scikit-learn's name)
        """Cluster points.

        Parameters
        ----------
        X : array_like or table, shape (n, 2)
            Latitude and longitude in degrees, or x and y in metres: an array, a list, or a table of pandas, polars or
            pyarrow, not with longitude first by its names; or a GeoDataFrame, which is converted from its CRS.
        y : None
            Ignored; present for scikit-learn's API.
        sample_weight : array_like, shape (n,), or float, optional
            Weight of each point; may be zero or negative.

        Returns
        -------
        GeoDBSCAN
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, point, weight or order of columns is not valid; the message is one line that names it.
        TypeError
            If `X` is sparse or not numeric.
        """
        names = column_names(X)
        check_names(names, self.metric)
        points = read_only(as_points(X, self.metric))
        weight = as_weight(sample_weight, len(points))
        try:
            n_threads = _threads(self.n_jobs)
            found = dbscan(
                points, self.eps_m, self.min_samples, metric=self.metric, sample_weight=weight, n_threads=n_threads
            )
        except CabstandError as error:
            raise ValueError(str(error)) from error
        core_indices, components = core_points(points, found.core, n_threads)
        # Built by the first `predict`, into a list because scikit-learn forbids `predict` to set attributes.
        self._index: list[Predictor] = []
        self._fitted_with = float(self.eps_m), self.metric  # `set_params` may change the parameters before `predict`
        self.n_features_in_ = 2
        self._remember_names(names)
        self.labels_, self.core_sample_indices_, self.components_ = found.labels, core_indices, components
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.int32]:  # noqa: N803
        """Cluster points and return `labels_`; see :meth:`fit`."""
        return self.fit(X, y, sample_weight=sample_weight).labels_

    def predict(
        self,
        X: Any,  # noqa: N803
        return_distance: bool = False,
    ) -> NDArray[np.int32] | tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the cluster of each point: that of the nearest core point within the `eps_m` of the fit.

        For the points of the fit this is their label, with one exception: a border point between two clusters gets the
        nearer one here and the lower-numbered one in :attr:`labels_`.

        Parameters
        ----------
        X : array_like or table, shape (m, 2)
            Points as in :meth:`fit`; there may be none.
        return_distance : bool, default False
            Whether to return the distance to that core point as well.

        Returns
        -------
        labels : ndarray of int32, shape (m,)
            -1 where no core point is within `eps_m`, as for a latitude beyond a pole.
        distance_m : ndarray of float64, shape (m,)
            Distance in metres to the nearest core point, NaN where none is within `eps_m`; only with `return_distance`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before :meth:`fit`; a `ValueError` where scikit-learn is not installed.
        ValueError
            If a point is not finite, or the column names differ from those of the fit or put longitude first.
        """
        if not hasattr(self, "labels_"):
            raise _not_fitted(self)
        eps_m, metric = self._fitted_with
        check_names(column_names(X), metric, getattr(self, "feature_names_in_", None))
        points = as_finite_points(X, metric)
        if not self._index:
            clusters = self.labels_[self.core_sample_indices_]
            self._index.append(Predictor(CoreIndex.build(self.components_, clusters, eps_m, metric=metric)))
        predictor = self._index[0]
        return predictor.labels_and_distances(points) if return_distance else predictor.labels(points)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` makes no difference, because no parameter is an estimator."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> GeoDBSCAN:
        """Set parameters of the next fit and return the estimator; what is fitted stays as it is.

        Raises
        ------
        ValueError
            If there is no parameter of that name.
        """
        known = _parameters(type(self))
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters are: {known}.")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_params().items())})"

    def __getstate__(self) -> dict[str, Any]:
        # The index is built again by the next `predict`.
        return self.__dict__ | ({"_index": []} if "_index" in self.__dict__ else {})

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "labels_")

    def __sklearn_tags__(self) -> Any:
        utils = importlib.import_module("sklearn.utils")  # only scikit-learn calls this method
        target = utils.TargetTags(required=False)
        return utils.Tags(estimator_type="clusterer", target_tags=target, input_tags=utils.InputTags())

    def _remember_names(self, names: NDArray[np.object_] | None) -> None:
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


def _parameters(kind: type) -> list[str]:
    return sorted(inspect.signature(kind).parameters)


def _threads(n_jobs: int | None) -> int:
    """Count threads as joblib does: -1 is all processors, -2 all but one."""
    parameters.check_n_jobs(n_jobs)
    if n_jobs is None:
        return 1
    if n_jobs > 0:
        return n_jobs
    return max(1, available_cores() + 1 + n_jobs)


def _not_fitted(estimator: object) -> Exception:
    what = f"This {type(estimator).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments first."
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return ValueError(what)
    return NotFittedError(what)  # type: ignore[no-any-return]

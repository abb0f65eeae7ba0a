"""Read the inputs of the estimator: arrays, lists, and tables of pandas, polars, pyarrow and geopandas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.columns import is_longitude_first
from cabstand.clustering.geometries import from_geometries, has_geometries


def as_points(x: Any, metric: object = "haversine") -> NDArray[Any]:
    """Read points from anything that NumPy can read or a table: float32 or float64, shape (n, 2), n at least 1.

    TypeError if they are a sparse matrix, ValueError if they are not two columns of numbers. A table of geometries is
    read as the `metric` needs it.
    """
    points = from_geometries(x, metric) if has_geometries(x) else _as_columns(x)
    if not len(points):
        raise ValueError(f"Found array with 0 sample(s) (shape={points.shape}) while a minimum of 1 is required.")
    return points


def as_finite_points(x: Any, metric: object = "haversine") -> NDArray[Any]:
    """Read points that must be finite; there may be none. See :func:`as_points`."""
    if has_geometries(x):
        points = from_geometries(x, metric)
    else:
        points = np.empty((0, 2)) if isinstance(x, (list, tuple)) and not x else _as_columns(x)
    finite = np.isfinite(points)
    if not finite.all():
        raise ValueError(f"row {int(np.argmin(finite.all(axis=1)))}: a coordinate is NaN or infinite")
    return points


def _as_columns(x: Any) -> NDArray[Any]:
    if hasattr(x, "tocsr") or hasattr(x, "tocoo"):
        raise TypeError("sparse data was passed, but dense points are required; use X.toarray()")
    array = np.asarray(x)
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported: points must be real numbers")
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except TypeError as error:
            raise TypeError(f"argument must be a string or a number: {error}") from error
        except ValueError as error:
            raise ValueError(f"points must be numbers: {error}") from error
    _check_shape(array)
    return array


def read_only(points: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view in C order (or a copy), so that a kernel is compiled only once for each type."""
    view = np.ascontiguousarray(points).view()
    view.flags.writeable = False
    return view


def _check_shape(array: NDArray[Any]) -> None:
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data: points have 2 columns"
        )
    if array.shape[1] != 2:
        wanted = "exactly 2 are" if array.shape[1] else "a minimum of 2 is"
        raise ValueError(f"Found array with {array.shape[1]} feature(s) (shape={array.shape}) while {wanted} required.")


def column_names(x: Any) -> NDArray[np.object_] | None:
    """Return the column names of a table; None for arrays and geometries, and where names are not all strings."""
    if has_geometries(x):
        return None
    names = getattr(x, "column_names", None)  # pyarrow
    if names is None:
        names = getattr(x, "columns", None)  # pandas, polars
    if names is None or callable(names):
        return None
    names = list(names)
    return np.array(names, object) if names and all(isinstance(name, str) for name in names) else None


def check_names(names: NDArray[np.object_] | None, metric: object, fitted: NDArray[np.object_] | None = None) -> None:
    """Raise ValueError if column names differ from those of the fit, or say that degrees are longitude first."""
    if names is None:
        return
    shown = ", ".join(names)
    if fitted is not None and list(names) != list(fitted):
        raise ValueError(
            f"The feature names should match those that were passed during fit: {', '.join(fitted)}, not {shown}"
        )
    if isinstance(metric, str) and metric == "haversine" and is_longitude_first(list(names)):
        order = f"X[[{names[1]!r}, {names[0]!r}]]"
        raise ValueError(f"columns {shown}: longitude comes first; pass latitude first, as in {order}")


def as_weight(sample_weight: Any, n_points: int) -> NDArray[np.float64] | None:
    """Read weights: None, one number for all points, or one for each, which `dbscan` checks.

    ValueError if they are not numbers, or all zero.
    """
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight)
        if weight.dtype.kind in "cSU":  # complex or text, which NumPy would convert
            raise TypeError(f"not {weight.dtype}")
        weight = weight.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight: weights must be numbers ({error})") from error
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight if weight.ndim else np.full(n_points, float(weight))

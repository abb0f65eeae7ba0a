"""Taxi hotspots and ride durations for New York.

`GeoDBSCAN` is the public clustering API. It needs only NumPy and numba, and is imported on first access.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cabstand.clustering.estimator import GeoDBSCAN

__all__ = ["GeoDBSCAN", "__version__"]

try:
    __version__ = version("cabstand")
except PackageNotFoundError:  # a source tree that is not installed, as in the Lambda package
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "GeoDBSCAN":
        from cabstand.clustering.estimator import GeoDBSCAN

        return GeoDBSCAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

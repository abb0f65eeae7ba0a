"""Where New York's cabs stand, and how long a ride takes.

`GeoDBSCAN` is the public door to the clustering; it needs numpy and numba alone, and is imported when first asked for.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cabstand.clustering.estimator import GeoDBSCAN

__all__ = ["GeoDBSCAN", "__version__"]

try:
    __version__ = version("cabstand")
except PackageNotFoundError:  # a bare source tree, as in the Lambda package
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "GeoDBSCAN":
        from cabstand.clustering.estimator import GeoDBSCAN

        return GeoDBSCAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

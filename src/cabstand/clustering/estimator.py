"""The public estimator."""

from __future__ import annotations


class GeoDBSCAN:
    """Exact DBSCAN on the Earth."""

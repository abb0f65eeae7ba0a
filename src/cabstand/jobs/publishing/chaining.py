"""What the result of a clustering says of clusters that chain together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cabstand.clustering import chaining
from cabstand.clustering.hotspots import Hotspots

_log = logging.getLogger(__name__)


def judge(hotspots: Hotspots, total: float) -> dict[str, Any] | None:
    """Return the entry of the manifest, still without a suggestion; None unless the hotspots chain.

    `total` is the weight of all points, noise included.
    """
    found = chaining.measure(hotspots.weight, hotspots.radius_m, total)
    return asdict(found) | {"suggested": None} if found.is_over else None


def warn(result: Mapping[str, Any]) -> None:
    """Warn if the hotspots of a result chain, or if it has none."""
    if result.get("n_clusters") == 0:
        _log.warning(
            "no point has %s neighbours within %g m, so there is no hotspot: try a larger --eps-m or a smaller "
            "--min-samples (`cabstand sweep` tries thirty pairs)",
            result["min_samples"],
            result["eps_m"],
        )
    if result.get("chaining"):
        _log.warning("%s", chaining.sentence(result["chaining"], divided="parts_uri" in result))

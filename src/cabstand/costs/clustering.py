"""What clustering a million trips costs on Fargate, from the times that were measured and the price table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand.costs import task_sizes
from cabstand.costs.table import PriceTable
from cabstand.costs.task_sizes import TaskSize

HEADROOM = 1.25  # of memory, as in `cabstand plan`
PLATFORM = "X86_64"


@dataclass(frozen=True)
class Price:
    """An engine's price: of the smallest task with its workers and memory, for as long as the clustering takes.

    `low` and `high` are those of the fastest and the slowest trial. Neither the start of the task nor storage is in it.
    """

    engine: str
    n_workers: int
    n_points: int
    vcpu: float
    memory_gb: float
    usd_hour: float
    usd: float  # per million trips
    low: float
    high: float


def usd_hour(size: TaskSize, table: PriceTable) -> float:
    """Return the price of a Fargate task of this size in US dollars an hour, with Linux on x86-64."""
    vcpu, memory_gb = size.cpu / 1024, size.memory_mib / 1024
    return vcpu * table.usd(f"fargate/{PLATFORM}/vcpu") + memory_gb * table.usd(f"fargate/{PLATFORM}/gb")


def per_million(comparison: Mapping[str, Any], table: PriceTable) -> list[Price]:
    """Return the price of a million trips with each engine, at the largest size that all of a comparison's ran.

    The cheapest engine is first. An engine that no task is large enough for is left out.
    """
    rows = [row for row in comparison["table"] if row["status"] == "measured"]
    engines = {(row["engine"], row["n_workers"]) for row in rows}
    by_size: dict[int, set[tuple[str, int]]] = {}
    for row in rows:
        by_size.setdefault(row["n_points"], set()).add((row["engine"], row["n_workers"]))
    common = [size for size, found in by_size.items() if found == engines]
    if not common:
        return []
    chosen = [row for row in rows if row["n_points"] == max(common)]
    found = (_price(row, comparison.get("trials", ()), table) for row in chosen)
    return sorted((one for one in found if one), key=lambda one: one.usd)


def _price(row: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], table: PriceTable) -> Price | None:
    size = task_sizes.smallest(row["n_workers"], row["peak_rss_mb"] * HEADROOM)
    if size is None:
        return None
    same = ("engine", "n_workers", "n_points")
    walls = [one["wall_s"] for one in trials if all(one[name] == row[name] for name in same)] or [row["wall_s"]]
    hour = usd_hour(size, table)
    mean, low, high = (wall / 3600 * hour * 1e6 / row["n_points"] for wall in (row["wall_s"], min(walls), max(walls)))
    shape = (size.cpu / 1024, size.memory_mib / 1024, hour)
    return Price(row["engine"], row["n_workers"], row["n_points"], *shape, mean, low, high)

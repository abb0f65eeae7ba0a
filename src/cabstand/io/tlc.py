"""Where the TLC, and the publisher of the Uber pickups, keep a month of trips."""

from __future__ import annotations


def month_url(base: str, uber_base: str, dataset: str, month: str) -> str:
    """Return the address of a month, as the TLC (and the publisher of the Uber pickups) name their files."""
    if dataset != "uber":
        return f"{base.rstrip('/')}/{dataset}_tripdata_{month}.parquet"
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    return f"{uber_base.rstrip('/')}/uber-raw-data-{names[int(month[5:]) - 1]}{month[2:4]}.csv"

"""Facts about the TLC's published data: the addresses of its files, its time zone and the numbers of its zones."""

from __future__ import annotations

ZONE = "America/New_York"
LAST_ZONE = 265  # LocationIDs are 1 to 265; 264 is "unknown", 265 "outside of New York City"


def month_url(base: str, uber_base: str, dataset: str, month: str) -> str:
    """Return the address of a month, as the TLC and the publisher of the Uber pickups name their files."""
    if dataset != "uber":
        return f"{base.rstrip('/')}/{dataset}_tripdata_{month}.parquet"
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    return f"{uber_base.rstrip('/')}/uber-raw-data-{names[int(month[5:]) - 1]}{month[2:4]}.csv"

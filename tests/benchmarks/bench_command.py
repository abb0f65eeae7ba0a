"""The command line of a benchmark: what it is asked for, and how it ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dbscan_limits import Figure, limit

OUT = Path(__file__).resolve().parents[2] / "docs" / "bench"
LEAST = {"rounds": 1, "limit": 100_000}  # the smallest size of a suite


def options(what: str | None, suites: Sequence[str], most: int) -> argparse.Namespace:
    """Read the options: `suites`, none if all are asked for, `rounds`, `limit`, `points` and `out`."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("suites", nargs="*", default=[], help=f"some of {', '.join(suites)}; all if none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=most, help="leave out larger sizes")
    parser.add_argument("--points", type=Path, help="where to keep the input between runs")
    parser.add_argument("--out", type=Path, default=OUT, help="for JSON and picture; a page above it gets the tables")
    chosen = parser.parse_args()
    if unknown := set(chosen.suites) - set(suites):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    for name, least in LEAST.items():
        if (value := getattr(chosen, name)) < least:
            parser.error(f"--{name} must be at least {least}, not {value}")
    return chosen


def end(found: Sequence[Figure]) -> None:
    """Print each figure with its limit, and exit with 1 if a limit is not kept."""
    for figure in found:
        print(f"{figure.value:10.3f}  {figure.name}  {limit(figure)}")
    sys.exit(not all(figure.holds() for figure in found))

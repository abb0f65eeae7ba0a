"""`python hostile_store.py`: a store in a small process of its own; each line on stdin names a folder of artifacts.

It loads what serves there, waits for a line, refreshes, and says what serves then and what that took.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from pathlib import Path

from cabstand.api.metrics import Metrics
from cabstand.api.store import REFUSED, ModelStore

ROW = {"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2023-03-01T08:15:00"}


class Last(logging.Handler):
    """Keeps the last message."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text = record.getMessage()


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def own_mib() -> float:
    """Return the most memory of this process; `ru_maxrss` would be that of the one that started it, if it is larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024


def main() -> None:
    """Answer until stdin ends."""
    last = Last()
    logging.getLogger("cabstand").addHandler(last)
    for line in sys.stdin:
        metrics = Metrics()
        store = ModelStore(line.strip(), ["trip-duration"], 1.0, metrics)
        store.refresh()
        print(store.find("trip-duration").champion.version, flush=True)
        sys.stdin.readline()
        before = cpu_s()
        store.refresh()
        served = store.find("trip-duration").champion
        said = {
            "champion": served.version,
            "answers": len(served.answer([ROW])),
            "refused": metrics.value(REFUSED, (("problem", "trip-duration"),)),
            "reason": last.text,
            "cpu_s": cpu_s() - before,
            "own_mib": own_mib(),
            "child_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()

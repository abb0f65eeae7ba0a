"""Counters, gauges and histograms in memory, rendered as Prometheus text."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """The metrics of one process. Label values must come from a bounded set, as each makes a series of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._help: dict[str, tuple[str, str]] = {}
        self._counts: dict[tuple[str, Labels], float] = {}
        self._histograms: dict[tuple[str, Labels], list[float]] = {}
        self._gauges: dict[str, Callable[[], dict[Labels, float]]] = {}

    def declare(self, name: str, kind: str, text: str) -> None:
        """Describe a metric; `kind` is counter, gauge or histogram."""
        self._help[name] = (kind, text)

    def add(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        """Count `amount` more."""
        key = (name, labels)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0.0) + amount

    def start(self, name: str, series: Iterable[Labels]) -> None:
        """Let series of a counter begin at 0: Prometheus sees no increase in one whose first value is above that."""
        for labels in series:
            self.add(name, labels, 0.0)

    def observe(self, name: str, labels: Labels, seconds: float) -> None:
        """Put one measurement into a histogram."""
        key = (name, labels)
        with self._lock:
            cells = self._histograms.get(key)
            if cells is None:
                cells = self._histograms[key] = [0.0] * (len(LATENCY_BUCKETS_S) + 2)
            cells[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1.0
            cells[-1] += seconds

    def gauge(self, name: str, text: str, read: Callable[[], dict[Labels, float]]) -> None:
        """Register a metric whose values are read when rendered."""
        self.declare(name, "gauge", text)
        self._gauges[name] = read

    def value(self, name: str, labels: Labels = ()) -> float:
        """Return a counter's value."""
        return self._counts.get((name, labels), 0.0)

    def total(self, name: str) -> float:
        """Return a counter's value over all its labels."""
        with self._lock:
            return sum(value for (known, _), value in self._counts.items() if known == name)

    def render(self) -> str:
        """Return everything in the Prometheus text format, version 0.0.4."""
        lines: list[str] = []
        for name, (kind, text) in self._help.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += self._histogram(name) if kind == "histogram" else self._plain(name)
        return "\n".join(lines) + "\n"

    def _plain(self, name: str) -> Iterator[str]:
        read = self._gauges.get(name)
        with self._lock:
            found = {labels: value for (known, labels), value in self._counts.items() if known == name}
        for labels, value in (read() if read else found or {(): 0.0}).items():
            yield f"{name}{_labels(labels)} {_number(value)}"

    def _histogram(self, name: str) -> Iterator[str]:
        with self._lock:
            found = [(labels, list(cells)) for (known, labels), cells in self._histograms.items() if known == name]
        for labels, cells in found:
            total = 0.0
            for bound, count in zip((*LATENCY_BUCKETS_S, None), cells, strict=False):
                total += count
                le = "+Inf" if bound is None else repr(bound)
                yield f"{name}_bucket{_labels((*labels, ('le', le)))} {_number(total)}"
            yield f"{name}_sum{_labels(labels)} {cells[-1]!r}"
            yield f"{name}_count{_labels(labels)} {_number(total)}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
    return "{" + ",".join(f'{name}="{value.translate(escaped)}"' for name, value in labels) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)

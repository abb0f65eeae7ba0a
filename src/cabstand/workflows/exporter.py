"""`cabstand runs exporter`: what Prometheus asks about the runs of a lake, and about the CPUs of this machine.

It counts what CloudWatch counts of the line with which each job ends, over the same day: `cabstand.cli.job_log`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cabstand.api.metrics import Labels, Metrics
from cabstand.errors import CabstandError, TaskError
from cabstand.io import runs
from cabstand.io.run_manifest import NOTHING
from cabstand.io.runs import Run
from cabstand.io.signals import exit_on_termination
from cabstand.observability import catalogue
from cabstand.settings import Settings
from cabstand.workflows import definitions

DAY_S = 86_400
KINDS = ("workflow", "experiment")
PIPELINE = "pipeline"
SUCCEEDED = {"done", NOTHING}
Series = dict[Labels, float]


def serve(settings: Settings, host: str, port: int, every_s: float, announce: Callable[[str], None]) -> dict[str, Any]:
    """Answer /metrics until SIGINT or SIGTERM; the lake is read at most every `every_s` seconds."""
    look = Look(settings.lake_uri, every_s)
    try:
        server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"look": look}))
    except OSError as error:
        hint = "choose another --port or --host"
        raise TaskError(f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint=hint) from error
    with server:
        announce(f"http://{host}:{server.server_port}/metrics")
        try:
            with exit_on_termination():
                server.serve_forever()
        except (KeyboardInterrupt, SystemExit):
            pass
    return {"scrapes": look.scrapes}


class Look:
    """The runs of a lake, read anew when they are old, as metrics."""

    def __init__(self, lake_uri: str, every_s: float) -> None:
        self.scrapes = 0
        self._lake_uri, self._every_s = lake_uri, every_s
        self._read_at = -math.inf
        self._runs: list[Run] = []
        self._metrics = self._declared()

    def text(self) -> str:
        """Return the metrics in Prometheus's format."""
        if time.monotonic() - self._read_at >= self._every_s:
            self._runs = counted(runs.listed(self._lake_uri))
            self._read_at = time.monotonic()
        self.scrapes += 1
        return self._metrics.render()

    def _declared(self) -> Metrics:
        import psutil

        read: dict[str, Callable[[], Series]] = {
            "cabstand_runs": lambda: by_state(self._recent()),
            "cabstand_run_p95_seconds": lambda: by_kind(self._recent(), p95_s),
            "cabstand_run_peak_memory_bytes": lambda: by_kind(self._recent(), peak_bytes),
            "cabstand_run_last_success_timestamp_seconds": lambda: last_successes(self._runs),
            "cabstand_cpu_busy_seconds_total": lambda: {(): busy_s(psutil.cpu_times())},
            "cabstand_cpus": lambda: {(): float(psutil.cpu_count() or 1)},
        }
        metrics = Metrics()
        for name, how in catalogue()["metrics"]["exporter"].items():
            metrics.gauge(name, how["meaning"], read[name])
            metrics.declare(name, how["type"], how["meaning"])
        return metrics

    def _recent(self) -> list[Run]:
        since = time.time() - DAY_S
        return [run for run in self._runs if ended_at(run) >= since]


def counted(found: Sequence[Run]) -> list[Run]:
    """Return the runs that have ended, without pipelines that are steps of a workflow."""
    steps = [
        step for run in found for step in run.manifest["steps"].values() if step.get("command", [""])[0] == PIPELINE
    ]
    spans = [(step["started"], step.get("ended") or "9") for step in steps]

    def is_part(run: Run) -> bool:
        return run.name == PIPELINE and any(start <= run.started <= end for start, end in spans)

    return [run for run in found if run.state != "running" and not is_part(run)]


def ended_at(run: Run) -> float:
    """Return when a run ended, in seconds since 1970; of one that was killed in its first step, when it began."""
    return runs.at(run.ended or run.started)


def kind(run: Run) -> str:
    """Return `workflow` or `experiment`, by the task that runs it on AWS."""
    return _kinds().get(run.name, "workflow")


@cache
def _kinds() -> dict[str, str]:
    kinds = catalogue()["kinds"]
    return {name: str(kinds[one.task]).lower() for name, one in definitions.load().items()}


def by_state(found: Iterable[Run]) -> Series:
    """Count runs by kind and state; each count is there from the start."""
    counts = {_labels(kind=one, state=state): 0.0 for one in KINDS for state in ("succeeded", "failed")}
    for run in found:
        counts[_labels(kind=kind(run), state="succeeded" if run.state in SUCCEEDED else "failed")] += 1
    return counts


def by_kind(found: Iterable[Run], measure: Callable[[list[Run]], float]) -> Series:
    """Measure the runs of each kind; 0 without any."""
    every = list(found)
    groups = {one: [run for run in every if kind(run) == one] for one in KINDS}
    return {_labels(kind=one): measure(group) if group else 0.0 for one, group in groups.items()}


def p95_s(found: list[Run]) -> float:
    """Return the 95th percentile of the runs' seconds, the nearest rank."""
    seconds = sorted(run.seconds or 0.0 for run in found)
    return seconds[math.ceil(0.95 * len(seconds)) - 1]


def peak_bytes(found: list[Run]) -> float:
    """Return the most memory of a process in the runs."""
    return max(run.peak_rss_mb for run in found) * (1 << 20)


def last_successes(found: Iterable[Run]) -> Series:
    """Return by workflow when it last succeeded."""
    latest: Series = {}
    for run in found:
        if run.state in SUCCEEDED:
            labels = _labels(workflow=run.name)
            latest[labels] = max(latest.get(labels, 0.0), ended_at(run))
    return latest


def busy_s(times: Any) -> float:
    """Return the seconds in which CPUs were neither idle nor waiting for a disk."""
    # Linux counts a guest's time in the host's, too.
    idle = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(value for name, value in times._asdict().items() if name not in idle))


def _labels(**labels: str) -> Labels:
    return tuple(labels.items())


class _Handler(BaseHTTPRequestHandler):
    look: Look

    def do_GET(self) -> None:
        status, text = self._answer()
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> tuple[int, str]:
        if self.path != "/metrics":
            return 404, "only /metrics is here\n"
        try:
            return 200, self.look.text()
        except CabstandError as error:
            return 503, f"{error}\n"

    def log_message(self, *_: Any) -> None:
        """Log nothing: every scrape would be a line."""

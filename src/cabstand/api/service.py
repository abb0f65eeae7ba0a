"""The parts of a running service, made from its settings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cabstand import trace
from cabstand.api.keyring import Keyring
from cabstand.api.metrics import Metrics
from cabstand.api.store import REFUSED, ModelStore
from cabstand.api.telemetry import Immediate, Telemetry, Threaded
from cabstand.io import keys
from cabstand.settings import Settings

if TYPE_CHECKING:
    from cabstand.io.otlp import Collector


@dataclass(frozen=True)
class Service:
    """What routes and middleware share."""

    metrics: Metrics
    store: ModelStore
    keyring: Keyring
    telemetry: Telemetry
    tracing: Collector | None
    root_path: str  # under which a proxy publishes it

    def close(self) -> None:
        """Write and send what is pending."""
        self.telemetry.close()
        if self.tracing is not None:
            self.tracing.close()


def build(settings: Settings) -> Service:
    """Return the service's parts; keys and bundles are not read yet."""
    metrics = Metrics()
    problems = listed(settings.api_problems)
    store = ModelStore(
        settings.artifacts_uri, problems, settings.api_refresh_s, metrics, settings.api_bundle_memory_mib
    )
    keyring = Keyring(lambda: keys.load(settings), settings.api_keys_refresh_s)
    telemetry = _telemetry(settings, store, metrics)
    metrics.gauge(
        "cabstand_log_dropped", "Log lines and predictions that were dropped.", lambda: {(): telemetry.dropped}
    )
    tracing = None
    if settings.otlp_endpoint:
        from cabstand.io.otlp import Collector

        own = (one for one in trace.exporters if isinstance(one, Collector))  # the command's
        tracing = next(own, None) or Collector(settings.otlp_endpoint, at_once=settings.on_lambda)
    return Service(metrics, store, keyring, telemetry, tracing, settings.api_root_path)


def listed(text: str) -> list[str]:
    """Return the parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _telemetry(settings: Settings, store: ModelStore, metrics: Metrics) -> Telemetry:
    kind = settings.prediction_log
    if kind == "stdout" or (kind == "auto" and settings.on_lambda):
        return Immediate(gauges=_bundle_gauges(store, metrics))
    from cabstand.io.predictions import PredictionFiles  # a function does without SQLite

    files = PredictionFiles(settings.home / "predictions", keep_open=True) if kind != "off" else None
    quiet = settings.log_level.upper() not in {"DEBUG", "INFO"}
    return Threaded(files, None if quiet else sys.stderr, settings.prediction_retention_days)


def _bundle_gauges(store: ModelStore, metrics: Metrics) -> Callable[[], dict[str, float]]:
    """Return what reads a request's figures of the bundles.

    They are the refusals since the last request, the roles that another bundle answers for, and the oldest age.
    """
    reported = 0.0

    def read() -> dict[str, float]:
        nonlocal reported
        before, reported = reported, metrics.total(REFUSED)
        oldest_s = max(store.ages().values(), default=0.0)
        refused = {"BundleRefused": reported - before, "BundleFallbacks": sum(store.fallbacks().values())}
        return refused | {"BundleAgeS": round(oldest_s)}

    return read

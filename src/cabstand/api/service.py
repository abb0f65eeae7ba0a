"""The parts of one running service, made from its settings."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cabstand.api.keyring import Keyring
from cabstand.api.metrics import Metrics
from cabstand.api.store import REFUSED, ModelStore
from cabstand.api.telemetry import Immediate, Telemetry, Threaded
from cabstand.io import keys
from cabstand.io.predictions import PredictionFiles
from cabstand.settings import Settings

if TYPE_CHECKING:
    from cabstand.api.tracing import Tracing


GAUGES_EVERY_S = 1.0


@dataclass(frozen=True)
class Service:
    """What routes and guard share."""

    settings: Settings
    metrics: Metrics
    store: ModelStore
    keyring: Keyring
    telemetry: Telemetry
    tracing: Tracing | None

    def close(self) -> None:
        """Write and send what is pending."""
        self.telemetry.close()
        if self.tracing is not None:
            self.tracing.close()


def build(settings: Settings) -> Service:
    """Return the service's parts; nothing is read yet."""
    metrics = Metrics()
    problems = listed(settings.api_problems)
    store = ModelStore(settings.artifacts_uri, problems, settings.api_refresh_s, metrics)
    keyring = Keyring(lambda: keys.load(settings), settings.api_keys_refresh_s)
    telemetry = _telemetry(settings, store, metrics)
    metrics.gauge(
        "cabstand_log_dropped", "Log lines and predictions that were dropped.", lambda: {(): telemetry.dropped}
    )
    return Service(settings, metrics, store, keyring, telemetry, _tracing(settings))


def listed(text: str) -> list[str]:
    """Return the parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _tracing(settings: Settings) -> Tracing | None:
    if not settings.otlp_endpoint:
        return None
    from cabstand.api.tracing import Tracing

    return Tracing(settings.otlp_endpoint, at_once=settings.on_lambda)


def _telemetry(settings: Settings, store: ModelStore, metrics: Metrics) -> Telemetry:
    kind = settings.prediction_log
    if kind == "stdout" or (kind == "auto" and settings.on_lambda):
        return Immediate(gauges=_Gauges(store, metrics))
    files = PredictionFiles(settings.home / "predictions", keep_open=True) if kind != "off" else None
    quiet = settings.log_level.upper() not in {"DEBUG", "INFO"}
    return Threaded(files, None if quiet else sys.stderr, settings.prediction_retention_days)


class _Gauges:
    """What a request's metric line says of the bundles: refusals since it last did, and the oldest champion's age.

    Once a second is enough; the lines between say nothing of it.
    """

    def __init__(self, store: ModelStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._told = 0.0
        self._next = 0.0

    def __call__(self) -> dict[str, float]:
        now = time.monotonic()
        if now < self._next:
            return {}
        self._next = now + GAUGES_EVERY_S
        refused = self._metrics.total(REFUSED)
        told, self._told = self._told, refused
        return {"BundleRefused": refused - told, "BundleAgeS": round(max(self._store.ages().values(), default=0.0))}

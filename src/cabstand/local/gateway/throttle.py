"""Token buckets, as API Gateway throttles: `rate` tokens a second, at most `burst` of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cabstand.local.gateway.definition import Stage


class Bucket:
    """One bucket, full at first."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst = rate, burst
        self._clock = clock
        self._tokens, self._at = burst, clock()

    def take(self) -> bool:
        """Take a token; return whether there was one."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttle:
    """The buckets of all stages: one of the stage, and one of each route with settings of its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def admits(self, api: str, stage: Stage, route: str) -> bool:
        """Return whether a request may pass; without settings, all do."""
        own = stage.route_throttles.get(route) or {}
        if "ThrottlingRateLimit" in own:
            return self._bucket((api, stage.name, route), own).take()
        if "ThrottlingRateLimit" in stage.throttle:
            return self._bucket((api, stage.name), stage.throttle).take()
        return True

    def _bucket(self, key: tuple[str, ...], settings: Mapping[str, Any]) -> Bucket:
        rate = float(settings["ThrottlingRateLimit"])
        burst = float(settings.get("ThrottlingBurstLimit") or rate)
        found = self._buckets.get(key)
        if not found or (found.rate, found.burst) != (rate, burst):
            found = self._buckets[key] = Bucket(rate, burst, self._clock)
        return found

"""The clock: fires EventBridge Scheduler's schedules and the rules of EventBridge that have a schedule."""

from cabstand.local.clock.schedules import Firing, Schedule, firings, next_firings, read
from cabstand.local.clock.service import Clock, fire, run

__all__ = ["Clock", "Firing", "Schedule", "fire", "firings", "next_firings", "read", "run"]

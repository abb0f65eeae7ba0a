"""Watch a deployment's step: the alarms of the service, and how its two versions compare in the function's log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from cabstand.account import alarms
from cabstand.account.invocations import Log, sample
from cabstand.errors import ConfigError
from cabstand.monitoring import canary
from cabstand.monitoring.canary import Comparison


@dataclass(frozen=True)
class Settings:
    """How a deployment proceeds: the shares of its steps, how long and how often each is watched, and the tests."""

    shares: tuple[float, ...] = (0.1, 0.5, 1.0)
    watch_s: float = 300.0
    every_s: float = 30.0
    alpha: float = 0.01  # of the whole deployment
    slowdown: float = 1.25

    def __post_init__(self) -> None:
        rising = all(share < larger for share, larger in pairwise((0.0, *self.shares)))
        if not rising or self.shares[-1:] != (1.0,):
            raise ConfigError("must rise to 100", where="--steps", hint="for example 10,50,100")

    @property
    def n_looks(self) -> int:
        """How many times the versions are compared in one step."""
        return max(1, math.ceil(self.watch_s / self.every_s))

    @property
    def level(self) -> float:
        """The level of each single test."""
        return canary.level(self.alpha, self.n_looks * len(self.shares))


@dataclass
class Watch:
    """Compares a new version with the old one; `ringing` are the alarms that rang before."""

    function: str
    settings: Settings
    new: str
    old: str
    ringing: frozenset[str]

    def __post_init__(self) -> None:
        self._log = Log(self.function, _now_ms())
        self._before_ms = self._since_ms = _now_ms()

    def step(self, share: float, tell: Callable[[Comparison], None]) -> tuple[dict[str, Any], str]:
        """Watch a step that begins now; return what was found, and why the new version is refused, empty if it is not.

        While both versions serve, the same minutes of both are compared. At 100 % it is the old one's last step.
        """
        self._before_ms, self._since_ms = self._since_ms, _now_ms()
        old_since_ms = self._since_ms if share < 1 else self._before_ms
        for _ in range(self.settings.n_looks):
            time.sleep(self.settings.watch_s / self.settings.n_looks)
            found = self._compared(old_since_ms)
            tell(found)
            reasons = [f"alarm {name}" for name in sorted(alarms.ringing(self.function) - self.ringing)]
            if refused := "; ".join([*found.worse, *reasons]):
                break
        return asdict(found), refused

    def _compared(self, old_since_ms: int) -> Comparison:
        found = self._log.read(_now_ms())
        new, old = sample(found, self.new, self._since_ms), sample(found, self.old, old_since_ms)
        return canary.compare(new, old, alpha=self.settings.level, slowdown=self.settings.slowdown)


def _now_ms() -> int:
    return int(time.time() * 1000)

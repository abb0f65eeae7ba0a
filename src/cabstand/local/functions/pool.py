"""The environments of one function: started on demand, never two invocations in one, ended when idle."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cabstand.local.functions.environment import Environment
from cabstand.local.functions.invocation import throttled

# Lambda would start up to 1,000; a laptop has neither the cores nor the memory. More requests wait for one of these.
MOST_ENVIRONMENTS = 4
IDLE_S = 300.0
SPARE_S = 5.0  # idle for so long, an environment may make room for another version's
ACCOUNT_CONCURRENCY = 1_000
_LOG = logging.getLogger(__name__)


class Pool:
    """Lends environments; requests over the reserved concurrency are refused, as Lambda does."""

    def __init__(self, most: int = MOST_ENVIRONMENTS) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._n_started = Counter[str]()  # by the version's key
        self._n_requests = 0
        self._closed = False

    @contextmanager
    def lent(self, key: str, reserved: int | None, start: Callable[[], Environment]) -> Iterator[Environment]:
        """Lend an environment of a version's key for the duration of the block, started if none is free."""
        self._enter(reserved)
        try:
            environment = self._take(key) or self._started(key, start)
            try:
                yield environment
            finally:
                self._give_back(environment)
        finally:
            self._leave()

    @contextmanager
    def lent_if_free(self, key: str, reserved: int | None) -> Iterator[Environment | None]:
        """Lend an environment that is free now, or None; never waits."""
        with self._changed:
            found = self._free(key)
            if found:
                self._enter(reserved)
                self._idle.remove(found)
                self._busy.add(found)
        try:
            yield found
        finally:
            if found:
                self._give_back(found)
                self._leave()

    @property
    def n_requests(self) -> int:
        """How many requests it has now."""
        return self._n_requests

    @property
    def is_empty(self) -> bool:
        """Whether it has no environment."""
        return self._n_started.total() == 0

    def watch(self) -> None:
        """Enforce the memory limit of the busy environments."""
        for environment in list(self._busy):
            environment.watch_memory()

    def read_logs(self) -> None:
        """Pass on what the functions have written."""
        with self._changed:
            both = [*self._idle, *self._busy]
        for environment in both:
            environment.read_log()

    def reap(self, idle_s: float = IDLE_S) -> None:
        """End environments that nobody has used for a while, or that ended by themselves."""
        now = time.monotonic()
        with self._changed:
            old = [one for one in self._idle if now - one.used_at > idle_s or not one.is_usable]
            self._idle = [one for one in self._idle if one not in old]
        self._end(old)

    def close(self) -> None:
        """End every environment, busy ones too."""
        with self._changed:
            self._closed = True
            both = [*self._idle, *self._busy]
            self._idle = []
        self._end(both)

    def _enter(self, reserved: int | None) -> None:
        with self._changed:
            if self._closed or self._n_requests >= (ACCOUNT_CONCURRENCY if reserved is None else reserved):
                raise throttled()
            self._n_requests += 1

    def _leave(self) -> None:
        with self._changed:
            self._n_requests -= 1

    def _free(self, key: str) -> Environment | None:
        """Return a usable environment of the version, the latest used: the others become idle enough to end."""
        return next((one for one in reversed(self._idle) if one.key == key and one.is_usable), None)

    def _take(self, key: str) -> Environment | None:
        """Return a free environment of the version; None if there is room to start one.

        Of another version, only one that is long idle makes room, or any for a version that has none: two versions
        under load would else end each other's in turn, and each request would wait for a cold start.
        """
        surplus: list[Environment] = []
        with self._changed:
            while True:
                surplus += [one for one in self._idle if not one.is_usable]
                self._idle = [one for one in self._idle if one.is_usable]
                found = self._free(key)
                if found or self._n_started.total() - len(surplus) < self._most:
                    break
                least_s = SPARE_S if self._n_started[key] else 0.0
                spare = [one for one in self._idle if time.monotonic() - one.used_at >= least_s]
                if spare:
                    surplus.append(spare[0])
                    self._idle.remove(spare[0])
                    continue
                self._changed.wait(1.0)
            if found:
                self._idle.remove(found)
                self._busy.add(found)
            else:
                self._n_started[key] += 1
        self._end(surplus)
        return found

    def _started(self, key: str, start: Callable[[], Environment]) -> Environment:
        try:
            environment = start()
        except BaseException:
            with self._changed:
                self._n_started[key] -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._busy.add(environment)
        return environment

    def _give_back(self, environment: Environment) -> None:
        with self._changed:
            self._busy.discard(environment)
            reusable = not (environment.has_ended or self._closed)
            if reusable:
                self._idle.append(environment)
                self._changed.notify_all()  # one alone may wait for another version's
        if not reusable:
            self._end([environment])

    def _end(self, environments: list[Environment]) -> None:
        for one in environments:
            one.stop()
            with self._changed:
                self._n_started[one.key] -= 1
                self._changed.notify_all()

"""A value of the emulator that is read again when it is old, if possible without making anybody wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError

T = TypeVar("T")
AGE_S = 1.0
_LOG = logging.getLogger(__name__)


class Fresh(Generic[T]):
    """What `read` returned at most two seconds ago.

    Between one and two seconds, callers get the old value while a thread reads the new one. Nothing is read while
    nobody asks. If the emulator does not answer, the old value stays, and the log says so once.
    """

    def __init__(self, read: Callable[[], T], age_s: float = AGE_S) -> None:
        self._read, self._age_s = read, age_s
        self._lock = threading.Lock()
        self._value: T | None = None
        self._read_at = float("-inf")
        self._away = False

    @property
    def is_recent(self) -> bool:
        """Whether `get` answers at once."""
        return time.monotonic() - self._read_at < 2 * self._age_s

    def get(self) -> T:
        """Return the value; raises what `read` raises if there is none."""
        age_s = time.monotonic() - self._read_at
        if age_s >= 2 * self._age_s:
            with self._lock:
                if not self.is_recent:  # another thread may have read it meanwhile
                    self._update()
        elif age_s >= self._age_s and self._lock.acquire(blocking=False):
            threading.Thread(target=self._update_later, daemon=True).start()
        assert self._value is not None
        return self._value

    def _update_later(self) -> None:
        try:
            self._update()
        except Exception:  # the next caller reads it again and gets the error
            self._read_at = float("-inf")
        finally:
            self._lock.release()

    def _update(self) -> None:
        try:
            self._value = self._read()
            self._away = False
        except BotoCoreError as error:
            if self._value is None:
                raise
            if not self._away:
                _LOG.warning("the emulator does not answer, its last state stays in force: %s", error)
            self._away = True
        self._read_at = time.monotonic()

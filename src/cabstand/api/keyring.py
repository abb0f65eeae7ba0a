"""Which API key is valid: the stored hashes in memory, compared in constant time, read anew as they age."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cabstand.errors import CabstandError
from cabstand.io.keys import MARK, ApiKey, digest

logger = logging.getLogger(__name__)

_NOBODY = digest("nobody")


class Keyring:
    """The keys in force.

    Parameters
    ----------
    load : callable
        Returns the stored keys; it may fail, and the last ones read stay in force then.
    refresh_s : float
        Age at which they are read again before the next request is judged.
    """

    def __init__(self, load: Callable[[], list[ApiKey]], refresh_s: float) -> None:
        self._load = load
        self._refresh_s = refresh_s
        self._keys: dict[str, ApiKey] = {}
        self._read_at = -1e12
        self._lock = threading.Lock()
        self.failures = 0

    def stale(self) -> bool:
        """Say whether the keys are too old to judge by.

        Wall time, in both directions: a function that was frozen or restored must notice, and a clock may be set back.
        """
        return abs(time.time() - self._read_at) > self._refresh_s

    def refresh(self) -> None:
        """Read the keys again, once however many ask; on an error keep the ones there are."""
        with self._lock:
            if not self.stale():
                return
            try:
                self._keys = {key.id: key for key in self._load()}
            except CabstandError as error:
                self.failures += 1
                logger.warning("keys not read, the last ones stay in force: %s", error)
            self._read_at = time.time()

    def find(self, key: str) -> ApiKey | None:
        """Return the valid key that was presented, or None."""
        mark, _, rest = key.partition("_")
        known = self._keys.get(rest[:8]) if mark == MARK else None
        same = hmac.compare_digest(digest(key), known.sha256 if known else _NOBODY)
        if known is None or not same or known.revoked_at is not None:
            return None
        return known if known.expires_at is None or known.valid(datetime.now(UTC)) else None

"""The valid API keys: their hashes in memory, compared in constant time, read again as they age."""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from cabstand.api.errors import ApiError
from cabstand.errors import CabstandError
from cabstand.io.keys import MARK, ApiKey, digest

logger = logging.getLogger(__name__)

_NOBODY = digest("nobody")


class Keyring:
    """The keys in force; those older than `refresh_s` are read again before the next request is checked."""

    def __init__(self, load: Callable[[], list[ApiKey]], refresh_s: float) -> None:
        self._load = load
        self._refresh_s = refresh_s
        self._keys: dict[str, ApiKey] = {}
        self._read_at = -1e12
        self._lock = threading.Lock()

    async def authenticate(self, headers: Mapping[bytes, bytes], scope: str) -> str:
        """Return the id of the key that a request presents, or raise a 401 or 403."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        presented = headers.get(b"x-api-key") or (token.strip() if scheme.lower() == b"bearer" else b"")
        if not presented:
            raise _unauthorized("send an API key as `x-api-key`, or as `authorization: Bearer`")
        if self.stale():
            await asyncio.to_thread(self.refresh)
        key = self.find(presented.decode("latin-1"))
        if key is None:
            raise _unauthorized("this API key is not valid: unknown, expired or revoked")
        if scope not in key.scopes:
            raise ApiError(403, "forbidden", f"this API key lacks the scope `{scope}`")
        return key.id

    def stale(self) -> bool:
        """Return whether the keys must be read again.

        Wall time, in both directions: a function that was frozen or restored must notice, and a clock may be set back.
        """
        return abs(time.time() - self._read_at) > self._refresh_s

    def refresh(self) -> None:
        """Read the keys again, once for all who wait; on an error the last ones stay in force."""
        with self._lock:
            if not self.stale():
                return
            try:
                self._keys = {key.id: key for key in self._load()}
            except CabstandError as error:
                logger.warning("API keys not read, the last ones stay in force: %s", error)
            self._read_at = time.time()

    def find(self, key: str) -> ApiKey | None:
        """Return the valid key that was presented, or None."""
        mark, _, rest = key.partition("_")
        known = self._keys.get(rest[:8]) if mark == MARK else None
        same = hmac.compare_digest(digest(key), known.sha256 if known else _NOBODY)
        if known is None or not same or known.revoked_at is not None:
            return None
        return known if known.expires_at is None or known.valid(datetime.now(UTC)) else None


def _unauthorized(detail: str) -> ApiError:
    return ApiError(401, "unauthorized", detail, headers={"www-authenticate": "Bearer"})

"""uvicorn's HTTP/1.1 protocol with the limits it lacks.

uvicorn waits forever for the end of a request's head and takes a head of any length. The guard sees a request only
after its head, and no more of one that it has refused. So this protocol closes connections whose head is late or long,
whose body never ends, or whose client does not read its answers.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cabstand.api.guard import ARRIVED

HEAD_S = 5.0
SEND_S = 15.0
MAX_HEAD_BYTES = 32_768


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with time limits for head, body and answers, and a size limit for the head."""

    body_s = 15.0
    _in_head = True
    _head_bytes = 0
    _limit_s: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait(HEAD_S)
        self._start_timer()

    def on_message_begin(self) -> None:
        """Wait for the head of a further request on the same connection."""
        super().on_message_begin()
        if not self._in_head:
            self._in_head, self._head_bytes = True, 0
            self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """Wait for the body, which goes on after a request has been refused for its head."""
        self._in_head = False
        self._wait(self.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for nothing more of this request, and tell the guard that it need not either."""
        self._wait(None)
        self.scope["extensions"] = {ARRIVED: {}}
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too long; a request that arrives whole needs no timer."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("the request's head is too long")
        if self._timer is None:
            self._start_timer()

    def pause_writing(self) -> None:
        """Start the timer of a client that does not read its answers."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(SEND_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that timer."""
        super().resume_writing()
        self._stop_send_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers."""
        self._wait(None)
        self._stop_send_timer()
        super().connection_lost(exc)

    def _wait(self, limit_s: float | None) -> None:
        """Set the limit of what comes next; its timer starts once the bytes at hand have been read."""
        self._limit_s = limit_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self) -> None:
        if self._limit_s is not None:
            self._timer = self.loop.call_later(self._limit_s, self.transport.close)

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

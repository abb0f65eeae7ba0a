"""Answers that leave together: what one turn of the event loop has to say goes out at its end.

To send is a call of the system that may wake whoever waits, which takes as long as a model, and leaves the processor's
caches to the kernel. Under load a turn answers many requests: done one after the other and then sent one after the
other, both go faster. An answer waits for those of its own turn, a few milliseconds at most, and for none when idle.
"""

from __future__ import annotations

import asyncio

LONGEST_S = 0.005  # from a turn's first answer until what is there is sent
MOST_BYTES = 65_536  # a larger answer is sent at once: whoever writes must notice a slow client


class Outbox:
    """What the connections of one event loop have to send."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: list[Held] = []
        self._since = 0.0

    def put(self, held: Held) -> None:
        """Have it sent at the end of the turn."""
        now = self.loop.time()
        if self._waiting and now - self._since > LONGEST_S:
            self.flush()
        if not self._waiting:
            self._since = now
            self.loop.call_soon(self.flush)
        self._waiting.append(held)

    def flush(self) -> None:
        """Send everything."""
        waiting, self._waiting = self._waiting, []
        for held in waiting:
            held.flush()


class Held(asyncio.Transport):
    """A connection whose writes wait for the end of the turn: a head and its body are one packet then, too.

    It has what uvicorn's cycle of request and response asks of a transport; the flow control keeps the real one.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        super().__init__()
        self._transport = transport
        self._outbox = outbox
        self._pieces: list[bytes] = []
        self._n_bytes = 0
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.abort = transport.abort  # type: ignore[method-assign]

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Send at the end of the turn, or now if it is much."""
        if not self._pieces:
            self._outbox.put(self)  # which may send what others have to say, but nothing of this yet
        self._pieces.append(data)
        self._n_bytes += len(data)
        if self._n_bytes > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._pieces:
            pieces, self._pieces, self._n_bytes = self._pieces, [], 0
            self._transport.write(b"".join(pieces))

    def close(self) -> None:
        """Send what waits, and close."""
        self.flush()
        self._transport.close()

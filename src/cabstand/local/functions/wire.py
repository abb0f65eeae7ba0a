"""The connection to a runtime emulator, usable from a thread and from an event loop, by one of them at a time."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from httptools import HttpParserError, HttpResponseParser

from cabstand.local.functions.runtime import INVOKE

# What `exchange` raises if the emulator is gone.
BROKEN = (OSError, HttpParserError)
_CHUNK = 65_536


class _Reply:
    """Collects one HTTP response; httptools calls the methods."""

    def __init__(self) -> None:
        self.parser = HttpResponseParser(self)
        self.is_complete = False
        self._body: list[bytes] = []

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self.is_complete = True

    def feed(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("the emulator closed the connection")
        self.parser.feed_data(data)

    def read(self) -> tuple[int, bytes]:
        return self.parser.get_status_code(), b"".join(self._body)


class Wire:
    """Keeps one connection; the standard library's client takes a fifth of a millisecond more for each request."""

    def __init__(self, port: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, payload: bytes, request_id: str) -> tuple[int, bytes]:
        """Send an event; return status and body of the answer."""
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(_request(payload, request_id))
        reply = _Reply()
        while not reply.is_complete:
            reply.feed(self._socket.recv(_CHUNK))
        return reply.read()

    async def exchange_here(self, payload: bytes, request_id: str) -> tuple[int, bytes]:
        """Do the same on the running event loop."""
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        await loop.sock_sendall(self._socket, _request(payload, request_id))
        reply = _Reply()
        async with asyncio.timeout(self._timeout_s):
            while not reply.is_complete:
                reply.feed(await loop.sock_recv(self._socket, _CHUNK))
        return reply.read()

    def close(self) -> None:
        """Close the connection; an exchange that waits ends."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _request(payload: bytes, request_id: str) -> bytes:
    head = f"POST {INVOKE} HTTP/1.1\r\nHost: lambda\r\nX-Amzn-RequestId: {request_id}\r\nContent-Length: {len(payload)}"
    return head.encode() + b"\r\n\r\n" + payload

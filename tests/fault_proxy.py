"""A TCP proxy that misbehaves on request: refuses, resets, truncates, delays, does not answer."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class FaultProxy:
    """A proxy on its own port.

    Attributes
    ----------
    mode : str
        `pass` passes bytes on; `refuse` resets a connection at once; `silent` takes it and never answers; `cut` resets
        an answer after `after` bytes; `slow` hands out `after` bytes each tenth of a second.
    after : int
        See `mode`.
    n_connections : int
        Connections taken so far.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("://")[2].partition(":")
        self._target = (host, int(port))
        self.mode = "pass"
        self.after = 0
        self.n_connections = 0
        self.url = ""

    def set(self, mode: str, after: int = 0) -> None:
        """Change the behaviour, also of open connections."""
        self.after, self.mode = after, mode

    async def _serve(self, ready: threading.Event, stopped: asyncio.Event) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stopped.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        if self.mode == "refuse":
            _reset(writer)
            return
        with suppress(ConnectionError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(*self._target)
            await asyncio.gather(self._up(reader, back), self._down(there, writer))
            back.close()
        writer.close()

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            while self.mode == "silent":
                await asyncio.sleep(0.02)
            back.write(data)
            await back.drain()
        back.close()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        n_sent = 0
        while data := await there.read(CHUNK):
            if self.mode == "refuse":
                _reset(writer)
                return
            if self.mode == "cut" and n_sent + len(data) > self.after:
                writer.write(data[: max(0, self.after - n_sent)])
                await writer.drain()
                _reset(writer)
                return
            while self.mode == "slow" and data:
                writer.write(data[: self.after])
                data = data[self.after :]
                await writer.drain()
                await asyncio.sleep(0.1)
            writer.write(data)
            n_sent += len(data)
            await writer.drain()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN, so that the other side's last bytes are lost."""
    link: socket.socket = writer.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def proxied(target: str) -> Iterator[FaultProxy]:
    """Run a proxy in front of `http://host:port` for the duration of the block."""
    proxy, ready = FaultProxy(target), threading.Event()
    loop, stopped = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(proxy._serve(ready, stopped))
        loop.close()

    thread = threading.Thread(target=run, name="fault proxy")
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(timeout=10)

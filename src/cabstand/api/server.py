"""`cabstand serve`: the application under uvicorn, with the limits uvicorn lacks.

uvicorn waits for ever for the end of a request's head and takes a head of any length; the guard sees a request only
after that, and no more of one that it has refused. So the protocol here closes connections whose head is late or long,
whose body never ends, and whose client does not take its answers.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cabstand.api.app import create_app
from cabstand.api.guard import WHOLE
from cabstand.api.outbox import Held, Outbox
from cabstand.errors import TaskError
from cabstand.settings import Settings

HEAD_S = 5.0
SEND_S = 15.0
MAX_HEAD_BYTES = 32_768
MAX_CONNECTIONS = 1_024
DRAIN_S = 20
KEEP_ALIVE_S = 10
GARBAGE_AFTER = 20_000


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, with time limits for head, body and answers, and a size limit for the head."""

    body_s = 15.0
    outbox: Outbox | None = None
    _head_bytes = 0
    _head_open = True
    _deadline: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _wakes_at = 0.0
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        kind = type(self)
        if kind.outbox is None or kind.outbox.loop is not self.loop:
            kind.outbox = Outbox(self.loop)
        self.transport = Held(transport, kind.outbox)
        self._await_head()

    def on_message_begin(self) -> None:
        """Start the clock of a further head on the same connection."""
        super().on_message_begin()
        if not self._head_open:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Start the clock of the body, which a route that does not read it would wait for in vain."""
        self._head_open = False
        self._start(self.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock, and say that the body is there."""
        self._deadline = None
        self.scope[WHOLE] = True  # type: ignore[literal-required]
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the clock of a client that leaves its answers lying."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(SEND_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it."""
        super().resume_writing()
        self._stop_send()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has grown too long."""
        super().data_received(data)
        if self._head_open:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("the request's head is too long")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks for good."""
        self._deadline = None
        self._wake(None)
        self._stop_send()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_open, self._head_bytes = True, 0
        self._start(HEAD_S)

    def _start(self, seconds: float) -> None:
        # The timer stays when a clock stops and looks when it rings: one a request would cost as much as its guard.
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._deadline < self._wakes_at:
            self._wake(self._deadline)

    def _wake(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer, self._wakes_at = self.loop.call_at(at, self._look), at

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None or self.transport.is_closing():
            return
        if self._deadline > self.loop.time():
            self._wake(self._deadline)
        else:
            self.transport.close()

    def _stop_send(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


def serve(settings: Settings, host: str, port: int) -> dict[str, Any]:
    """Serve until SIGINT or SIGTERM, then finish what has begun.

    Parameters
    ----------
    settings : Settings
        What is in force.
    host, port : str, int
        Where to listen; port 0 takes a free one.

    Raises
    ------
    TaskError
        If the address is taken or not ours.
    """
    app = create_app(settings)
    # What stays for good is not searched for garbage, and what requests leave, hardly a cycle, is searched seldom.
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 50, 20)
    listener = _listen(host, port)
    # The guard tells a slow client so; the connection goes a while after.
    limited = type("Limited", (Protocol,), {"body_s": settings.api_timeout_s + HEAD_S})
    config = uvicorn.Config(
        app,
        http=limited,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        limit_concurrency=MAX_CONNECTIONS,
    )
    with listener:
        _Server(config).run(sockets=[listener])
    service = app.state.service
    return {
        "requests": int(service.metrics.total("cabstand_requests_total")),
        "predictions": int(service.metrics.total("cabstand_predictions_total")),
        "log_dropped": service.telemetry.dropped,
    }


class _Server(uvicorn.Server):
    """uvicorn's server, which would raise the signal again when all is finished: the exit code would tell of a kill."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Begin to drain at SIGINT or SIGTERM, and put the handlers before back at the end."""
        before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise TaskError(f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint="choose --port") from error
    return listener

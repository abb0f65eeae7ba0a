"""`cabstand serve`: the application under uvicorn."""

from __future__ import annotations

import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from cabstand.api.app import create_app
from cabstand.api.protocol import HEAD_S, LimitedProtocol
from cabstand.errors import TaskError
from cabstand.settings import Settings


def serve(settings: Settings, host: str, port: int, announce: Callable[[str], None]) -> dict[str, Any]:
    """Serve until SIGINT or SIGTERM, then finish what has begun; `announce` is called with the URL once it answers."""
    app = create_app(settings)
    # Requests leave hardly a cycle: collect garbage seldom, and never among what stays for good.
    gc.freeze()
    gc.set_threshold(20_000, 50, 20)
    listener = _listen(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    # The guard answers a slow client with a 408; the connection is closed a while after.
    limited = type("Limited", (LimitedProtocol,), {"body_s": settings.api_timeout_s + HEAD_S})
    config = uvicorn.Config(
        app,
        http=limited,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=20,
        limit_concurrency=1_024,
    )
    with listener:
        _Server(config, lambda: announce(url)).run(sockets=[listener])
    service = app.state.service
    return {
        "requests": int(service.metrics.total("cabstand_requests_total")),
        "predictions": int(service.metrics.total("cabstand_predictions_total")),
        "log_dropped": service.telemetry.dropped,
    }


class _Server(uvicorn.Server):
    """uvicorn's server; that would raise the signal again after it has stopped, and the exit code would be a kill's."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell, unless the application refuses to start."""
        await super().startup(sockets)
        if self.started:
            self._when_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully at SIGINT or SIGTERM, and restore the previous handlers at the end."""
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
        hint = "choose another --port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "choose another --host"
        raise TaskError(f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint=hint) from error
    return listener

"""Ports of this machine's loopback interface."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from cabstand.errors import ConfigError, TaskError


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_free(port: int, option: str) -> int:
    """Return the port that an option gives; raise a ConfigError if something listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            hint = "give another one, or none for a free one"
            raise ConfigError(f"cannot use port {port}: {error.strerror}", where=option, hint=hint) from error
    return port


def wait_until_open(
    port: int, alive: Callable[[], bool], what: str, timeout_s: float = 60, ready: Callable[[], bool] = lambda: True
) -> None:
    """Wait until something listens on a port and is ready; raise a TaskError if it ends before or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and ready():
                return
        if not alive():
            raise TaskError("ended at its start", where=what, hint="see its log")
        time.sleep(0.05)
    raise TaskError(f"does not listen on port {port} after {timeout_s:.0f} s", where=what, hint="see its log")

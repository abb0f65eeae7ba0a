"""A temporary PostgreSQL for tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cabstand.local.ports import free_port, wait_until_open
from cabstand.local.postgres.server import MASTER, Server, account, make_folder, programs

PASSWORD = "test-master"  # pragma: allowlist secret


@dataclass(frozen=True)
class Postgres:
    """Where the server listens, its master user, and how to restart it."""

    host: str
    port: int
    user: str
    password: str
    restart: Callable[[], None]


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server whose master user is no superuser, as in RDS; skip if PostgreSQL is not installed."""
    if not (found := programs()):
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    place = Path(tempfile.mkdtemp())
    server = Server(make_folder(place / "postgres"), free_port(), found)
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        process = subprocess.Popen(server.command, user=account(), cwd=server.folder, stderr=subprocess.DEVNULL)
        running.append(process)
        wait_until_open(server.port, lambda: process.poll() is None, "PostgreSQL")

    def stop() -> None:
        process = running.pop()
        process.send_signal(signal.SIGINT)
        process.wait(60)

    def restart() -> None:
        stop()
        start()

    try:
        server.prepare(PASSWORD)
        start()
        yield Postgres("127.0.0.1", server.port, MASTER, PASSWORD, restart)
    finally:
        if running:
            stop()
        shutil.rmtree(server.folder)
        shutil.rmtree(place)

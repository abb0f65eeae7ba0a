"""A real PostgreSQL for tests, deleted afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Postgres:
    """A running server: its address, its master user, and how to restart it."""

    host: str
    port: int
    user: str
    password: str
    restart: Callable[[], None]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server whose master user is, as on RDS, not a superuser; skip if PostgreSQL is not installed."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="cabstand-pg-", dir="/tmp"))
    account = _account()
    shutil.chown(folder, account, account) if account else None
    secret = folder.parent / f"{folder.name}.password"
    secret.write_text("test-super")  # pragma: allowlist secret
    secret.chmod(0o644)
    data, port = folder / "data", free_port()
    try:
        _as(account, [programs / "initdb", "-D", data, "-U", "super", "-A", "scram-sha-256", "--pwfile", secret, "-N"])
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        _as(account, [programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start"])
        try:
            _make_master(port)
            again = [programs / "pg_ctl", "-D", data, "-w", "-m", "fast", "-l", folder / "log", "restart"]
            restart = partial(_as, account, again)
            yield Postgres("127.0.0.1", port, "cabstand", "test-master", restart)  # pragma: allowlist secret
        finally:
            _as(account, [programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        secret.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def _make_master(port: int) -> None:
    import psycopg

    where = {"host": "127.0.0.1", "port": port, "dbname": "postgres", "user": "super"}
    with psycopg.connect(**where, password="test-super", autocommit=True) as server:  # pragma: allowlist secret
        server.execute("CREATE ROLE cabstand LOGIN CREATEDB CREATEROLE PASSWORD 'test-master'")


def _programs() -> Path:
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, _path())]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


def _path() -> list[str]:
    return os.environ.get("PATH", "").split(os.pathsep)


def _account() -> str | None:
    """Return the user to run as: PostgreSQL refuses root, so then its own user, or nobody."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _as(account: str | None, command: list[object]) -> None:
    words = [str(word) for word in command]
    if account:
        words = ["runuser", "-u", account, "--", *words]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/tmp", timeout=120)

"""A service to test: a home with bundles and a key, served in this process or by a real server."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.testclient import TestClient

from bundles import point, small_bundle
from cabstand.api.app import create_app
from cabstand.clustering.core_index import CoreIndex
from cabstand.io import keys
from cabstand.settings import Settings

ROW = {"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2023-03-01T08:15:00"}
PREDICT = "/v1/trip-duration/predict"


def hotspots_file(n: int = 500) -> bytes:
    """Return a hotspot index of two clusters in Manhattan."""
    rng = np.random.default_rng(0)
    centres = np.array([[40.7527, -73.9772], [40.7069, -74.0113]])
    clusters = rng.integers(0, 2, n)
    file = io.BytesIO()
    CoreIndex.build(np.round(centres[clusters] + rng.normal(0, 1e-3, (n, 2)), 6), clusters, 100.0).save(file)
    return file.getvalue()


def make_home(home: Path) -> str:
    """Publish bundles of two problems in a home, and return a new API key."""
    small_bundle(home / "artifacts", extra={"hotspots.npz": hotspots_file()})
    point(home / "artifacts")
    small_bundle(home / "artifacts", "iris")
    point(home / "artifacts", "iris")
    return make_key(Settings(home=home))


def make_key(settings: Settings, name: str = "test", **given: Any) -> str:
    """Create an API key and return it."""
    key, kept = keys.make(name, given.pop("scopes", keys.SCOPES), datetime.now(UTC), **given)
    keys.add(settings, kept)
    return key


def client_of(settings: Settings, key: str = "", *, load: bool = True) -> TestClient:
    """Return a client of a service in this process, with its bundles loaded."""
    app: FastAPI = create_app(settings)
    if load:
        app.state.service.store.refresh()
    return TestClient(app, headers={"x-api-key": key} if key else {}, raise_server_exceptions=False)


def service_of(client: TestClient) -> Any:
    """Return the parts of the service behind a client."""
    return client.app.state.service  # type: ignore[attr-defined]


@dataclass
class Server:
    """`cabstand serve` in another process."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def memory_kib(self) -> int:
        """Return its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))

    def stop(self) -> int:
        """Stop it with SIGTERM and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(url: str, timeout: float = 5, **headers: str) -> tuple[int, bytes]:
    """Return status and body of a GET."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextmanager
def serving(home: Path, log: Path, *, ready: bool = True, **env: str) -> Iterator[Server]:
    """Run the server on a home for the duration of the block."""
    port = free_port()
    command = [sys.executable, "-m", "cabstand", "serve", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=os.environ | {"CABSTAND_HOME": str(home)} | env, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", port, process, log)
    try:
        _wait(server, "/readyz" if ready else "/healthz")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait(server: Server, path: str) -> None:
    for _ in range(600):
        assert server.process.poll() is None, server.log.read_text()
        try:
            if get(server.url + path)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(server.log.read_text())

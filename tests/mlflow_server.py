"""A real MLflow server on SQLite, and what tests ask of an MLflow store."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cabstand.errors import RegistryError
from cabstand.io import tracking
from cabstand.settings import Settings

Server = tuple[str, "subprocess.Popen[bytes]"]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run a server with its database and files in a folder; give its address and its process."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "files")]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def runs(settings: Settings, status: str = "") -> list[Any]:
    """Return the runs of the experiment, newest first, or those with a status."""
    wanted = f"attributes.status = '{status}'" if status else ""
    return list(tracking.client(settings).search_runs([tracking.experiment_id(settings)], wanted))


def together(settings: Settings, rounds: int, writers: int = 6) -> None:
    """Begin runs at the same moment, all on one new data set, a number of times."""
    barrier = threading.Barrier(writers)

    def write() -> None:
        try:
            for number in range(rounds):
                barrier.wait(60)
                source = tracking.Source("trips", f"{number:064x}"[::-1])
                with tracking.run(settings, "together", {}, source=source):
                    pass
        except RegistryError:
            barrier.abort()
            raise

    with ThreadPoolExecutor(writers) as pool:
        for done in [pool.submit(write) for _ in range(writers)]:
            done.result()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the server does not answer")

"""Run a Dask worker of a distributed run until the run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from cabstand.errors import ConfigError, TaskError
from cabstand.io import storage
from cabstand.io.dask import workers
from cabstand.io.dask.ecs_workers import DEATH_S, NANNY_PORTS, WORKER_PORTS
from cabstand.settings import Settings

GRACE_S = 20


@dataclass(frozen=True)
class Params:
    """Size of the worker: processes of one thread each, by default one for each CPU, and the memory limit of each.

    The limit is in Dask's notation, such as "3GiB"; "auto" is its share of the task's memory.
    """

    n_workers: int | None = None
    memory_limit: str = "auto"


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Work for the scheduler until it ends, is out of reach for a minute, or the task's lifetime is over."""
    if not settings.dask_scheduler:
        raise ConfigError("no scheduler", where="DASK_SCHEDULER_ADDRESS", hint="distributed runs set it in their tasks")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cabstand-dask-") as folder:
        command = _command(settings, params, Path(folder))
        code = supervise(command, settings.task_lifetime_s)
    wall_s = time.monotonic() - began
    if code not in {0, None}:
        raise TaskError(f"worker ended with code {code} after {wall_s:.0f} s", where=settings.dask_scheduler)
    ended = "lifetime" if code is None else "scheduler"
    return {"scheduler": settings.dask_scheduler, "ended_by": ended, "wall_s": round(wall_s, 1)}


def _command(settings: Settings, params: Params, folder: Path) -> list[str]:
    n_workers = params.n_workers or len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "distributed.cli.dask_worker", settings.dask_scheduler]
    command += ["--nworkers", str(n_workers), "--nthreads", "1", "--memory-limit", params.memory_limit]
    command += ["--worker-port", WORKER_PORTS, "--nanny-port", NANNY_PORTS, "--no-dashboard"]
    command += ["--death-timeout", str(DEATH_S), "--local-directory", str(folder)]
    if settings.dask_tls:
        pem = json.loads(storage.read(settings.dask_tls))
        options = {"ca_file": "--tls-ca-file", "worker_cert": "--tls-cert", "worker_key": "--tls-key"}
        for name, option in options.items():
            path = folder / f"{name}.pem"
            path.touch(mode=0o600)
            path.write_text(pem[name])
            command += [option, str(path)]
    return command


def supervise(command: list[str], lifetime_s: float) -> int | None:
    """Run the command and return its exit code, or None if it was stopped at the end of its lifetime."""
    import dask

    environment = os.environ | {"DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(workers.CONFIG)}
    # In a session of its own, so that all its descendants can be killed at the end.
    process = subprocess.Popen(command, env=environment, start_new_session=True)

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        _signal(process, number)

    before = signal.signal(signal.SIGTERM, forward)
    try:
        return process.wait(timeout=lifetime_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        signal.signal(signal.SIGTERM, before)
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return

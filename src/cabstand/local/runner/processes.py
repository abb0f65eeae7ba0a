"""The processes of a task, found by the task's id in their environment: also those that left its process group."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import psutil

MARK = "ECS_CONTAINER_METADATA_URI_V4"  # its value ends with the task's id


class Run:
    """A started task: the process that is it, or that stands for its container."""

    process: subprocess.Popen[bytes]

    @property
    def output(self) -> IO[bytes]:
        """What the task prints."""
        assert self.process.stdout
        return self.process.stdout

    def poll(self) -> int | None:
        """Return the exit code as a container's, 128 + n for signal n, or None while it runs."""
        code = self.process.poll()
        return 128 - code if code is not None and code < 0 else code


def members(identity: str) -> Iterator[psutil.Process]:
    """Yield the living processes of a task."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            living = process.status() != psutil.STATUS_ZOMBIE
            if living and process.environ().get(MARK, "").endswith(f"/{identity}"):
                yield process


def kill(identity: str, seconds: float = 10.0) -> int:
    """Kill all processes of a task, those too that appear meanwhile, and return how many there were."""
    killed, end = set[int](), time.monotonic() + seconds
    while time.monotonic() < end and (found := list(members(identity))):
        for process in found:
            killed.add(process.pid)
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)
    return len(killed)

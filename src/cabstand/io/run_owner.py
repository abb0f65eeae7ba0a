"""The process that an MLflow run belongs to, named in the run's tags: the next command ends a dead process's runs.

On the machine that began the run, its process is looked up. For another machine, which may be gone, a run counts as
dead once its process has not refreshed the run's time stamp for a quarter of an hour; if that process was only asleep,
it still gives the run the right status in the end.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from cabstand.errors import RegistryError

MACHINE, PROCESS, SEEN = "process.machine", "process.id", "process.seen"
BEAT_S = 60
SILENT_S = 900


def tags() -> dict[str, str]:
    """Return the tags that name this process as the owner of a run."""
    return {MACHINE: machine(), PROCESS: f"{os.getpid()}-{_started(os.getpid())}", SEEN: str(int(time.time()))}


def is_dead(tags: Mapping[str, str], started: float, now: float) -> bool:
    """Return whether the owner of a run with these tags, started at a time in seconds, is dead at `now`.

    A run without the tags is somebody else's, and never is.
    """
    pid, _, since = tags.get(PROCESS, "").partition("-")
    if MACHINE not in tags or not pid.isdecimal():
        return False
    if tags[MACHINE] == machine():
        return _started(int(pid)) != since
    seen = tags.get(SEEN, "")
    return now - max(started, int(seen) if seen.isdecimal() else 0) > SILENT_S


@cache
def machine() -> str:
    """Return what tells apart the places in which a process id may mean different processes."""
    found = []
    with suppress(OSError):  # Linux: one boot of one kernel, and one container on it
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        found.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(found) if len(found) == 2 else socket.gethostname()


@contextmanager
def refreshed(beat: Callable[[dict[str, str]], None]) -> Iterator[None]:
    """Call `beat` with a new time stamp every minute for as long as the block runs."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(BEAT_S):
            with suppress(RegistryError):
                beat({SEEN: str(int(time.time()))})

    threading.Thread(target=work, name="cabstand-run", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _started(pid: int) -> str:
    """Return when a process of this machine started, in the system's own measure; empty if it is dead."""
    with suppress(OSError):
        if Path("/proc/self/stat").exists():
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return "" if state in "ZX" else fields[18]
        import psutil

        with suppress(psutil.NoSuchProcess):
            return str(psutil.Process(pid).create_time())
    return ""

"""Processes that outlive the command which starts them: each in a session of its own, known by id and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# Every process of a stack has its folder in this variable, so that an orphan is found too.
MARK = "CABSTAND_LOCAL_STACK"
CLOCK_ERROR_S = 2.0  # start times are computed from the time of boot, which may be corrected


@dataclass(frozen=True)
class Process:
    """A process id, and when it started: ids are given again."""

    pid: int
    started: float  # seconds since 1970

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        if abs(_start_of(self.pid) - self.started) > CLOCK_ERROR_S:
            return False
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def session(self) -> list[psutil.Process]:
        """Return the processes of its session, which may have outlived it; none if its id was given again."""
        found: list[psutil.Process] = []
        if psutil.pid_exists(self.pid) and abs(_start_of(self.pid) - self.started) > CLOCK_ERROR_S:
            return found
        for other in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if os.getsid(other.pid) == self.pid and other.create_time() > self.started - CLOCK_ERROR_S:
                    found.append(other)
        return found


def _start_of(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def known(pid: int) -> Process:
    """Return the process with an id, with its start time."""
    return Process(pid, psutil.Process(pid).create_time())


def start(
    command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path, user: str | None = None
) -> Process:
    """Start a command in a session of its own, with its output at the end of a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            user=user,
            start_new_session=True,
        )
    child.returncode = 0  # it is not waited for, which Popen would warn of at its own end
    return known(child.pid)


def end(process: Process, first: signal.Signals = signal.SIGTERM, patience_s: float = 10) -> None:
    """Ask a process to end, wait, and kill what is left of its session."""
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, first)
        with suppress(psutil.NoSuchProcess):
            _wait([psutil.Process(process.pid)], patience_s)
    kill(process.session())


def orphans(folder: Path) -> list[psutil.Process]:
    """Return the processes that belong to the stack in a folder, except this one and those that started it."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in mine and _belongs(process.environ(), folder):
                found.append(process)
    return found


def _belongs(environment: Mapping[str, str], folder: Path) -> bool:
    """Whether a process has the mark, or is a task or a function, whose home is below the stack's folder."""
    return environment.get(MARK) == str(folder) or environment.get("HOME", "").startswith(f"{folder}/")


def kill(found: Iterable[psutil.Process], patience_s: float = 3) -> None:
    """Terminate processes, wait, kill the rest, and wait until they are gone."""
    left = list(found)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        left = _wait(left, patience_s)


def _wait(processes: list[psutil.Process], patience_s: float) -> list[psutil.Process]:
    """Wait until processes have ended, and return those that have not; a child's end is taken note of."""
    deadline = time.monotonic() + patience_s
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _runs(process: psutil.Process) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

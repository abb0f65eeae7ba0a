"""Prove a bundle: start the process that tries it, hand it the files, and wait for its verdict."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from cabstand.errors import CabstandError, DataError, TaskError
from cabstand.io.proving import messages

WAIT_S = 60.0  # for one line; CPU time is limited in the other process, so this is for a machine that stands still
SLICE_S = 0.25
# What Python needs to start; no credentials.
KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "SYSTEMROOT", "TMPDIR", "TZ")

Read = Callable[[str, int], bytes]  # (name of a file, its declared size) -> its bytes


def prove(spec: str, version: str, read: Read, memory_mib: int) -> None:
    """Raise a DataError unless a bundle loads, answers and stays within its bounds, tried in another process.

    `spec` finds the problem. What `read` raises is raised here; a TaskError if the other process cannot be started.
    """
    with _running(spec, version, memory_mib) as process:
        asked, given = process.stdout, process.stdin
        assert asked is not None
        assert given is not None
        left = list(messages.FILES)
        while True:
            content = messages.parse(_line(process, asked, memory_mib, version) or b"{}")
            if content.get("read") in left:
                left.remove(content["read"])
                data = read(content["read"], min(int(content["size"]), memory_mib << 19))
                try:
                    messages.give(given, data)
                except BrokenPipeError:
                    continue  # it has ended, and the next line says how
            elif content.get("proved") is True:
                return
            else:
                reason = str(content.get("refused", "gave no verdict"))[:500]
                raise DataError(reason, where=None if version in reason else version)


@contextmanager
def _running(spec: str, version: str, memory_mib: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process for the duration of the block, at a low priority."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one), "OMP_NUM_THREADS": "1"}
    env |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-P", "-m", "cabstand.io.proving.child", spec, version, str(memory_mib)]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=env)
    except OSError as error:
        raise TaskError(f"no process can be started to try it: {error.strerror}", where=version) from error
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # it may still hold what was not taken
                if stream is not None:
                    stream.close()


def _line(process: subprocess.Popen[bytes], stream: IO[bytes], memory_mib: int, version: str) -> bytes:
    """Return the next line of the process; a DataError if it has ended without a verdict or goes on for too long."""
    line = bytearray()
    # In slices: a function that is frozen in between must not take that for the time of its bundle.
    for _ in range(int(WAIT_S / SLICE_S)):
        while select.select([stream], [], [], SLICE_S)[0]:
            data = os.read(stream.fileno(), messages.MAX_LINE)
            line += data
            if line.endswith(b"\n"):
                return bytes(line)
            if not data or len(line) > messages.MAX_LINE:
                raise _ended(process, memory_mib, version)
    raise DataError(f"was not tried within {WAIT_S:g} s", where=version)


def _ended(process: subprocess.Popen[bytes], memory_mib: int, version: str) -> CabstandError:
    """Return the error that stands for a process without a verdict."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    code = process.returncode
    if code is not None and code >= 0:
        return TaskError("the process that should try it failed to start or to end", where=version)
    limits = f"it may take {messages.CPU_S} s of CPU time and {memory_mib} MiB of memory"
    return DataError(f"ends the process that tries it (signal {-(code or 0)}; {limits})", where=version)

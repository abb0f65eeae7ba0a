"""Runs a command as a whole process and tells what it took: CPU, wall time and memory, its children's included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PARLAY_NUM_THREADS"), "1")


class Task(NamedTuple):
    """A command, the number of its rows, and the variables that differ from this process's."""

    command: list[str]
    n: int
    environment: Mapping[str, str] = ONE_THREAD
    after: Any = None  # called with what the command printed; its keys join the result


def python(script: Path, *words: object) -> list[str]:
    """Return the command that runs a script with this Python."""
    return [sys.executable, str(script), *map(str, words)]


def cabstand(*words: object) -> list[str]:
    """Return the command that runs `cabstand`."""
    return [sys.executable, "-m", "cabstand", *map(str, words)]


def run(task: Task, home: Path) -> dict[str, Any]:
    """Run a task and return its seconds and its peak memory in MiB.

    The memory is that of the largest process. A child's count begins with the memory of who started it, so this
    process has to stay small.

    Raises
    ------
    SystemExit
        If the command fails; with the end of what it said.
    """
    environment = os.environ | {"CABSTAND_HOME": str(home), "CABSTAND_LOG_LEVEL": "ERROR"} | dict(task.environment)
    with (home / "errors").open("w+") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(task.command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        assert child.stdout is not None
        with child.stdout:
            told = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(task.command)} ended with {child.returncode}: {errors.read()[-2000:]}")
    result = {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall_s, "peak_mb": used.ru_maxrss / 1024}
    return result | (task.after(told) if task.after else {})

"""The processes that run a comparison's trials, one for each engine that has any."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from functools import cache
from typing import IO

from cabstand.errors import TaskError
from cabstand.jobs.comparing import worker
from cabstand.jobs.comparing.worker import Task, Trial

LAST_BYTES = 4_096  # of what a process says: enough for its last line


@contextmanager
def started() -> Iterator[Callable[[Task], Trial]]:
    """Give a function that runs a trial, in processes that are started for the first of their engine, and end here.

    It raises a TaskError if a trial fails or is killed.
    """
    with ExitStack() as stack:

        @cache
        def process(engine: str, n_workers: int) -> tuple[subprocess.Popen[str], IO[bytes]]:
            errors = stack.enter_context(tempfile.TemporaryFile())
            return stack.enter_context(_process(engine, n_workers, errors)), errors

        yield lambda task: _run(task, *process(task.engine, task.n_workers))


@contextmanager
def _process(engine: str, n_workers: int, errors: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "cabstand.jobs.comparing.worker", engine, str(n_workers)]
    # OpenBLAS, which no engine uses, would start threads, and a process with threads must not fork.
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()  # it has nothing to put in order


def _run(task: Task, process: subprocess.Popen[str], errors: IO[bytes]) -> Trial:
    if code := _exit_code(task, process):
        raise TaskError(_why(code, _end(errors)), where=f"engine {task.engine}")
    return worker.measured(task)


def _exit_code(task: Task, process: subprocess.Popen[str]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # it has ended: below
        process.stdin.write(json.dumps(asdict(task)) + "\n")
        process.stdin.flush()
    answer = process.stdout.readline()
    return int(answer) if answer else process.wait() or 1


def _end(errors: IO[bytes]) -> str:
    """Return the end of what a process has said; it shares the place in the file, which must not move."""
    size = os.fstat(errors.fileno()).st_size
    return os.pread(errors.fileno(), LAST_BYTES, max(0, size - LAST_BYTES)).decode(errors="replace")


def _why(code: int, errors: str) -> str:
    if code == -signal.SIGKILL:
        return "the process was killed; most likely it ran out of memory"
    last = errors.strip().splitlines()[-1:] or ["no message"]
    return f"the process ended with {code}: {last[0][:300]}"

"""Ctrl-C ends a clustering soon, whichever stage it is in, and all its threads with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabstand.clustering.kernels.jit import kernel, signals_held
from cabstand.clustering.kernels.store import KernelCache
from cabstand.clustering.kernels.threads import SMALL, sliced, slices, workers
from cabstand.io.signals import exit_on_termination

# Work for minutes: points around a pole of which each has a third in reach, or a sparse Earth. Prints when it starts.
CHILD = """
import signal, sys, threading
import numpy as np
from cabstand.clustering import engines
from cabstand.clustering.dbscan import dbscan

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
kind, threads = sys.argv[1], int(sys.argv[2])
engines.named("multicore").warm_up(threads)
rng = np.random.default_rng(0)
if kind == "sparse":
    n, eps_m, least = 16_000_000, 300.0, 3
    points = np.c_[rng.uniform(-60, 60, n), rng.uniform(-180, 180, n)]
else:
    n, eps_m, least = 1_000_000, 100.0, 250_000
    points = np.c_[90 - np.abs(rng.normal(0, 1e-3, n)), rng.uniform(-180, 180, n)]
weights = np.ones(n) if kind == "weights" else None
few = n // 100  # compile what the work needs: an interrupt of numba's compiler waits
less = None if weights is None else weights[:few]
dbscan(points[:few], eps_m, -(-least // 100), n_threads=threads, sample_weight=less)
print("started", flush=True)
try:
    dbscan(points, eps_m, least, n_threads=threads, sample_weight=weights)
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted,", threading.active_count(), "thread left", flush=True)
"""


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def interrupt(kind: str, threads: int, after_cpu_s: float) -> tuple[str, float]:
    """Interrupt a clustering; return what it printed, and the processor seconds that it took to end."""
    command = [sys.executable, "-c", CHILD, kind, str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        started = cpu_s(child.pid)
        while cpu_s(child.pid) < started + after_cpu_s:
            time.sleep(0.01)
        before = cpu_s(child.pid)
        child.send_signal(signal.SIGINT)
        line = child.stdout.readline()
        spent = cpu_s(child.pid) - before
        child.kill()
        return line, spent


@pytest.mark.slow
@pytest.mark.parametrize("after_cpu_s", [0.3, 3.0])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["pole", "weights", "sparse"])
def test_an_interrupt_ends_any_stage_within_a_second(kind: str, threads: int, after_cpu_s: float) -> None:
    line, spent = interrupt(kind, threads, after_cpu_s)
    if kind == "sparse" and line == "finished\n":
        return  # the machine is faster than that
    assert line == "interrupted, 1 thread left\n"
    assert spent < threads


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt this process, which may have been started in the background, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_job_waits_until_a_kernel_is_compiled(number: signal.Signals) -> None:
    before, done = signal.signal(number, signal.SIG_DFL), False  # nohup ignores one of them
    try:
        with pytest.raises(SystemExit), exit_on_termination(), signals_held():
            signal.raise_signal(number)
            done = True
    finally:
        signal.signal(number, before)
    assert done


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_waits_until_a_kernel_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = []
    monkeypatch.setattr(KernelCache, "load_overload", lambda *_: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(KernelCache, "save_overload", lambda _, *found: stored.append(found))

    def one(n: int) -> int:
        return n + 1

    inner = kernel(one)
    outer = kernel(lambda n: inner(n) + 1)
    with pytest.raises(KeyboardInterrupt):
        outer(1)
    assert len(stored) == 2
    assert outer(1) == 3


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_interrupt_ends_threads_that_would_never_end(threads: int) -> None:
    busy = threading.Barrier(threads)
    seen = threading.local()

    def endless(_: int, at: Any) -> bool:
        if not hasattr(seen, "before"):
            seen.before = True
            busy.wait()  # all threads work
            if threading.current_thread() is threading.main_thread():
                signal.raise_signal(signal.SIGINT)
        at[0] += 1
        return True

    with pytest.raises(KeyboardInterrupt), workers(SMALL, threads) as pool:
        pool.run(sliced(endless), [(i,) for i in range(8)])
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("dbscan")]


def test_helpers_end_between_the_slices_of_linear_work() -> None:
    busy, taken = threading.Barrier(2), []

    def walk(_: int) -> None:
        for a, _b in slices(0, 1 << 62):
            if a == 0:
                busy.wait()
                if threading.current_thread() is threading.main_thread():
                    raise RuntimeError("an error stops the others, too")
        taken.append(a)

    with pytest.raises(RuntimeError, match="others"), workers(SMALL, 2) as pool:
        pool.run(walk, [(i,) for i in range(8)])
    assert not taken

"""A Dask preload that makes a worker die with the process that started it, even while the worker is frozen.

A worker watches its parent by itself, but not while it is stopped (SIGSTOP, a debugger, a frozen container). Linux can
end it then.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


def dask_setup(worker: Any) -> None:
    """Tie the worker to its parent; systems other than Linux rely on the worker's own watch."""
    del worker
    die_with_parent()


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent ends."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended in between
        os.kill(os.getpid(), signal.SIGKILL)

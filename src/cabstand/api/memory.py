"""Memory that a process gives back to the system."""

from __future__ import annotations

import ctypes
import gc

_ONE_HEAP = (-8, 1)  # M_ARENA_MAX and its value, see mallopt(3)


def share_heap() -> None:
    """Let threads that start from now on allocate where the first one does (glibc).

    A heap of their own cannot give back its end, where the last of the replaced models was.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(*_ONE_HEAP)


def give_back() -> None:
    """Drop what only cycles refer to, and return the heap's free pages to the system (glibc's malloc_trim(3)).

    The last request's frames may hold the model that was replaced. Its pages lie between blocks that are still in use,
    and glibc by itself returns the end of a heap alone: after some 10 new models a process held 10 % more than after
    the first.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

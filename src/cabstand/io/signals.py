"""End a job that is told to terminate as an error would end it, so that it can clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


@contextmanager
def exit_on_termination() -> Iterator[None]:
    """Let SIGTERM (with which ECS ends a task) and SIGHUP raise SystemExit in the block.

    A signal that has a handler already, or is ignored, stays as it is.
    """
    before = {}
    with suppress(ValueError):  # not the main thread, where alone a handler may be set
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise SystemExit(128 + number)

"""Signs of life on stderr, so that no wait is silent: a progress display on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

_log = logging.getLogger(__name__)

DELAY_S = 0.7  # before a terminal shows that a command is running
QUIET_S = 1.5  # without a log line, before one says what is running
REPEAT_S = 30.0  # between two such lines about the same stage


@dataclass(eq=False)
class Stage:
    """Something that takes a while: `done` of `total` units, if they are known."""

    label: str
    total: float | None = None
    done: float = 0.0
    started: float = field(default_factory=time.monotonic)
    task: Any = None  # its line in the display, while there is one

    def describe(self) -> str:
        """Return the stage as a line of the log, with its progress once it has run for a while."""
        seconds = time.monotonic() - self.started
        if seconds < REPEAT_S:
            return self.label
        share = f"{self.done / self.total:.0%}, " if self.total else ""
        return f"{self.label} ({share}{seconds:.0f} s so far)"


class _Activity:
    """The stages that are open, innermost last, and what shows them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.stages: list[Stage] = []
        self.display: Any = None  # `rich.progress.Progress` while it is on the terminal
        self.pauses = 0
        self.ended = threading.Event()  # nothing more is to be shown of the running command
        self.context: Context | None = None  # of the running command's log, once that is configured
        self.logged = (time.monotonic(), "")  # when a line was last logged, and the label of the last stage logged

    def begin(self, stage: Stage) -> None:
        """Start a command with its outermost stage."""
        self.ended, self.pauses, self.context = threading.Event(), 0, None
        self.logged = (time.monotonic(), "")
        self.open(stage)

    def show(self) -> None:
        """Put the open stages on the terminal, if stderr is one."""
        with self.lock:
            if self.display or self.pauses or self.ended.is_set() or not self.stages or not on_terminal():
                return
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20))
            # What goes into a pipe must not be diverted to the terminal.
            both = sys.stdout.isatty()
            console = Console(stderr=True)
            self.display = Progress(
                *columns, TimeElapsedColumn(), console=console, transient=True, redirect_stdout=both
            )
            for stage in self.stages:
                stage.task = self.display.add_task(stage.label, total=stage.total, completed=stage.done)
            self.display.start()

    def hide(self) -> None:
        """Take the display off the terminal."""
        with self.lock:
            if self.display:
                self.display.stop()
                self.display = None

    def open(self, stage: Stage) -> None:
        """Add a stage to those that run."""
        with self.lock:
            self.stages.append(stage)
            if self.display:
                stage.task = self.display.add_task(stage.label, total=stage.total)

    def close(self, stage: Stage) -> None:
        """Remove a stage that has ended."""
        with self.lock:
            self.stages.remove(stage)
            if self.display and stage.task is not None:
                self.display.remove_task(stage.task)
            if not self.stages:
                self.hide()

    def advance(self, stage: Stage, done: float) -> None:
        """Count units of a stage as done."""
        with self.lock:
            stage.done += done
            if self.display and stage.task is not None:
                self.display.update(stage.task, completed=stage.done)

    def watch(self) -> None:
        """Show the display or log the innermost stage, whichever is due, until the command has ended."""
        if on_terminal():
            if not self.ended.wait(DELAY_S):
                self.show()
            return
        while not self.ended.wait(QUIET_S / 5):
            self.log_if_due()

    def log_if_due(self) -> None:
        """Log the innermost stage after a silence; the same one again only after a long silence."""
        with self.lock:
            if not self.stages or self.pauses or self.context is None:
                return
            stage, (at, label), context = self.stages[-1], self.logged, self.context
        if time.monotonic() - at >= (REPEAT_S if label == stage.label else QUIET_S):
            context.run(_log.info, stage.describe())
            self.logged = (time.monotonic(), stage.label)


_activity = _Activity()


def on_terminal() -> bool:
    """Return whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress(label: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """Show a stage while the block runs, which advances it by a number of units.

    Without a `total`, the display only shows that something is going on.
    """
    stage = Stage(label, total)
    _activity.open(stage)
    _activity.show()
    try:
        yield lambda done: _activity.advance(stage, done)
    finally:
        _activity.close(stage)


@contextmanager
def command(label: str) -> Iterator[None]:
    """Show signs of life until the block ends, whatever it waits for: imports, a compiler, a server's answer."""
    stage = Stage(label)
    _activity.begin(stage)
    watcher = threading.Thread(target=_activity.watch, name="activity", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        _activity.ended.set()
        watcher.join()
        _activity.close(stage)


@contextmanager
def paused() -> Iterator[None]:
    """Keep the terminal free for the block, which asks or prints something."""
    _activity.pauses += 1
    _activity.hide()
    try:
        yield
    finally:
        _activity.pauses -= 1
        _activity.show()


def stop() -> None:
    """Show nothing more of this command, because it prints its result or waits for requests from now on."""
    _activity.ended.set()
    _activity.hide()


def logging_configured() -> None:
    """Let signs of life go to the log of the running command, with its run id."""
    _activity.context = copy_context()


def logged() -> None:
    """Note that a line has just been logged."""
    _activity.logged = (time.monotonic(), _activity.logged[1])

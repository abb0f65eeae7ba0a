"""Traces in the form of the W3C: spans with ids that other processes continue, whether or not a collector takes them.

What a process does lies in one tree of spans; its root continues the trace of whatever started it. Exporters send
spans away, recorders keep them for the page of a run.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values, version 00
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass
class Span:
    """Something that took a while; times are nanoseconds since the epoch, ids hexadecimal."""

    name: str
    trace_id: str
    span_id: str = field(default_factory=lambda: uuid.uuid4().hex[16:])
    parent_id: str = ""
    sampled: bool = True  # whether it is exported, as the caller decided
    kind: str = "internal"  # or server, consumer
    started_ns: int = field(default_factory=time.time_ns)
    ended_ns: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def traceparent(self) -> str:
        """The W3C header that names this span as the parent of what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def child(self, name: str, **attributes: Any) -> Span:
        """Return a span under this one."""
        return Span(name, self.trace_id, parent_id=self.span_id, sampled=self.sampled, attributes=attributes)

    def join(self, traceparent: str, event_id: str = "") -> None:
        """Continue the trace of a caller, or else begin that of an event; call this before there are children."""
        if parent := parse(traceparent):
            self.trace_id, self.parent_id, self.sampled = parent
        elif event_id:
            self.trace_id = of_event(event_id)
            self.kind = "consumer"
            self.attributes["cabstand.event_id"] = event_id


Sink = Callable[[Span], None]
exporters: list[Sink] = []  # take the spans of this process
recorders: list[Sink] = []  # take those of its children, too
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_root: list[Span] = []  # the process's, for threads, which begin without a context


def parse(traceparent: str) -> tuple[str, str, bool] | None:
    """Return trace id, span id and whether it is sampled, or None if this is no valid header."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if not found or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return found[1], found[2], bool(int(found[3], 16) & 1)


def of_event(event_id: str) -> str:
    """Return the id of the trace that an event begins: whoever knows the event's id finds its trace."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:32]


def current() -> Span | None:
    """Return the open span of this context, or else the process's."""
    return _current.get() or (_root[-1] if _root else None)


def environment() -> dict[str, str]:
    """Return the variable by which a process that is started now continues the trace."""
    span = current()
    return {"TRACEPARENT": span.traceparent} if span else {}


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Span]:
    """Open a span for the block, under the open one or as the process's root; an error in the block is noted in it."""
    above = current()
    opened = above.child(name, **attributes) if above else Span(name, uuid.uuid4().hex, attributes=attributes)
    token = _current.set(opened)
    if not above:
        _root.append(opened)
    try:
        yield opened
    except BaseException as error:
        opened.error = f"{type(error).__name__}: {error}"[:300]
        raise
    finally:
        _current.reset(token)
        if not above:
            _root.remove(opened)
        end(opened)


def end(ended: Span) -> None:
    """End a span and give it to the exporters and recorders."""
    ended.ended_ns = time.time_ns()
    for sink in [*exporters, *recorders]:
        sink(ended)


@contextmanager
def recorded() -> Iterator[list[Span]]:
    """Collect the spans that end in the block, and those of other processes that are relayed."""
    found: list[Span] = []
    record = found.append
    recorders.append(record)
    try:
        yield found
    finally:
        recorders.remove(record)


def relay(ended: Span) -> None:
    """Give a span of another process, which exports its own, to the recorders."""
    for record in list(recorders):
        record(ended)


def to_dict(ended: Span) -> dict[str, Any]:
    """Return a span as plain values."""
    return asdict(ended)

"""Answers leave together, each whole, none late, and a large one at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cabstand.api import outbox
from cabstand.api.outbox import Held, Outbox


class Wire(asyncio.Transport):
    """A transport that keeps what is sent, and notes whose it was in the order of sending."""

    def __init__(self, sent: list[bytes]) -> None:
        super().__init__()
        self.sent = sent
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def in_a_loop(test: Callable[[Outbox], Any]) -> None:
    loop = asyncio.new_event_loop()  # not `asyncio.run`, which would take the place of the loop that Mangum keeps
    try:
        loop.run_until_complete(test(Outbox(loop)))
    finally:
        loop.close()


def test_a_turn_s_answers_leave_at_its_end_each_in_one_piece() -> None:
    async def test(box: Outbox) -> None:
        sent: list[bytes] = []
        for name in (b"a", b"b"):
            held = Held(Wire(sent), box)
            held.write(name + b" head ")
            held.write(b"body")
        assert sent == []
        await asyncio.sleep(0)
        assert sent == [b"a head body", b"b head body"]
        await asyncio.sleep(0)
        held.write(b"next")
        await asyncio.sleep(0)
        assert sent[2:] == [b"next"]

    in_a_loop(test)


def test_a_long_turn_sends_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(box: Outbox) -> None:
        sent: list[bytes] = []
        now = 0.0
        monkeypatch.setattr(box.loop, "time", lambda: now)
        for name in (b"a", b"b", b"c"):
            held = Held(Wire(sent), box)
            held.write(name)
            held.write(b" body")
            now += outbox.LONGEST_S * 0.7
        assert sent == [b"a body", b"b body"]
        monkeypatch.undo()
        await asyncio.sleep(0)
        assert sent[2:] == [b"c body"]

    in_a_loop(test)


def test_much_leaves_at_once_and_closing_leaves_nothing_behind() -> None:
    async def test(box: Outbox) -> None:
        sent: list[bytes] = []
        held = Held(wire := Wire(sent), box)
        held.write(b"head")
        held.write(bytes(outbox.MOST_BYTES))
        assert [len(one) for one in sent] == [outbox.MOST_BYTES + 4]
        held.write(b"last")
        held.close()
        assert sent[1:] == [b"last"]
        assert wire.closed
        assert held.is_closing()
        await asyncio.sleep(0)
        assert len(sent) == 2

    in_a_loop(test)

"""What the account on this machine costs while nothing happens: CPU and memory of the parts that act for AWS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cabstand.local.ports import free_port
from cabstand.local.stack import down
from cabstand.local.stack.state import State
from small_stack import applied, start

pytestmark = pytest.mark.bench
SECONDS = 60
MOST_PERCENT, MOST_MIB = 1.0, 100.0  # of a core, and resident


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "home/local")
    state.folder.mkdir(parents=True)
    try:
        start(state, "emulator")
        state.facts |= {"outputs": applied(state), "use_image": False}
        state.ports |= {"mlflow": free_port(), "gateway": free_port()}
        for name in ("gateway", "services"):
            start(state, name)
        yield state
    finally:
        down.end_all(state.folder)


def test_idle_parts_cost_little(stack: State) -> None:
    processes = {name: psutil.Process(part.pid) for name, part in stack.parts.items()}
    time.sleep(10)  # until their start is over
    before = {name: sum(one.cpu_times()[:2]) for name, one in processes.items()}
    time.sleep(SECONDS)
    for name, one in processes.items():
        percent = 100 * (sum(one.cpu_times()[:2]) - before[name]) / SECONDS
        mib = one.memory_info().rss / 2**20
        print(f"{name:9} {percent:5.2f} % of a core {mib:5.0f} MiB")
        if name != "emulator":
            assert percent < MOST_PERCENT
            assert mib < MOST_MIB

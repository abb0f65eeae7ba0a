"""A stack without Terraform: the emulator with the few resources that its parts read, and what restarts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cabstand.local.ports import free_port
from cabstand.local.stack import down
from cabstand.local.stack.state import State
from small_stack import applied, start


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[State]:
    """The emulator and the services of a stack, with a supervisor."""
    state = State(tmp_path / "home/local")
    state.folder.mkdir(parents=True)
    try:
        start(state, "emulator")
        state.facts |= {"outputs": applied(state), "use_image": False}
        state.ports |= {"mlflow": free_port(), "gateway": free_port()}
        state.save()
        start(state, "services")
        start(state, "supervisor")
        yield state
    finally:
        down.end_all(state.folder)

"""Fire a schedule of the account now."""

from __future__ import annotations

from functools import partial

from cabstand.local import clock
from cabstand.local.stack import terraform
from cabstand.local.stack.state import State


def run(state: State, schedule: str) -> dict[str, str]:
    """Fire a schedule once; its task is then on the list of `status`."""
    clock.fire(partial(terraform.client, state), schedule)
    return {"fired": schedule}

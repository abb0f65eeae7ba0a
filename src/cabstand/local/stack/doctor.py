"""What `cabstand doctor` is told of a stack: its addresses, its parts, and whose keys to use for the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cabstand.account.doctor.line import Line
from cabstand.io import aws, s3
from cabstand.jobs.doctor import Params
from cabstand.local.stack import environment, terraform
from cabstand.local.stack.state import NAMES, State, required


@contextmanager
def params(folder: Path, project: str) -> Iterator[Params]:
    """Yield what to check of the stack in a folder; meanwhile this process acts with its root key."""
    state = required(folder)
    lines = tuple(_parts(state))
    answers = state.up is None and state.parts["emulator"].process.alive
    addresses = {"endpoint": state.address("gateway"), "mlflow": state.address("mlflow")} if answers else {}
    with _acting(state):
        yield Params(terraform.ENVIRONMENT, project, on_laptop=True, answers=answers, found=lines, **addresses)


def _parts(state: State) -> Iterator[Line]:
    for name in NAMES:
        part = state.parts.get(name)
        if part is None:
            if name != "postgres":
                yield Line(name, "fail", "was not started", "cabstand local down, then up")
        elif part.process.alive:
            found = f"runs as process {part.pid}, started again {part.restarts} times"
            yield Line(name, "ok", found)
        else:
            yield Line(name, "fail", part.note or "does not run", f"cabstand local logs {name}; then down, and up")
    for missing in state.facts.get("missing", []):
        what, _, hint = missing.rpartition(" (")
        yield Line("this machine", "warn", what, hint.rstrip(")"))


@contextmanager
def _acting(state: State) -> Iterator[None]:
    before = dict(os.environ)
    given = environment.of(state)
    forget_clients()
    try:
        os.environ.clear()
        os.environ.update(given)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        forget_clients()


def forget_clients() -> None:
    """Let the next calls be made with the keys and addresses that the environment has now."""
    aws.client.cache_clear()
    s3.client.cache_clear()

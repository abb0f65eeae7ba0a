"""The parts of a stack, each with the function that starts it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from cabstand.local.ports import free_port, wait_until_open
from cabstand.local.stack import database, environment, mlflow, processes
from cabstand.local.stack.state import Part, State


def start(state: State, name: str) -> Part | None:
    """Start a part, on the port that it had before or was given; None where it cannot run here."""
    if name in PORTS and name not in state.ports:
        state.ports[name] = free_port()
    return _STARTERS[name](state)


def end(state: State, name: str) -> None:
    """End a part and all its processes."""
    if part := state.parts.get(name):
        processes.end(part.process, **({"first": database.STOP} if name == "postgres" else {}))


def _emulator(state: State) -> Part:
    words = [str(state.ports["emulator"]), "--record", str(state.calls)]
    return _serve(state, "emulator", "cabstand.local.emulator", *words)


def _services(state: State) -> Part:
    return _run(state, "services", "cabstand.local.services", str(state.folder))


def _gateway(state: State) -> Part:
    words = ["--port", str(state.ports["gateway"]), "--folder", str(state.folder / "gateway")]
    return _serve(state, "gateway", "cabstand.local.gateway", *words)


def _supervisor(state: State) -> Part:
    return _run(state, "supervisor", "cabstand.local.stack.supervisor", str(state.folder))


def _serve(state: State, name: str, *module: str) -> Part:
    """Run a module that listens on the part's port."""
    part = _run(state, name, *module)
    wait_until_open(state.ports[name], lambda: part.process.alive, f"{name} ({state.log(name)})")
    part.address = state.address(name)
    return part


def _run(state: State, name: str, *module: str) -> Part:
    command = [sys.executable, "-m", *module]
    process = processes.start(command, state.log(name), environment.of(state), state.folder)
    return Part(process.pid, process.started)


# Those that listen, in the order of `--port-base`.
PORTS = ("gateway", "mlflow", "emulator", "postgres")
_STARTERS: dict[str, Callable[[State], Part | None]] = {
    "emulator": _emulator,
    "postgres": database.start,
    "mlflow": mlflow.start,
    "services": _services,
    "gateway": _gateway,
    "supervisor": _supervisor,
}

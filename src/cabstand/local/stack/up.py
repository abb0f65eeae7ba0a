"""Start a stack, or end what was started of it."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cabstand.activity import progress
from cabstand.errors import ConfigError, TaskError
from cabstand.local.ports import check_free
from cabstand.local.stack import environment, kept, logins, parts, processes, terraform
from cabstand.local.stack.down import end_all
from cabstand.local.stack.state import NAMES, Part, State, load

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """How to start a stack."""

    folder: Path  # absolute; it is made, and holds everything that the stack writes
    infra: Path
    port_base: int | None = None  # the first of the ports; None for free ones
    quick: bool = False  # take the function's zip that is in dist/
    use_image: bool = True  # run tasks in the batch image, if podman or Docker has it


def run(params: Params) -> tuple[State, bool]:
    """Start a stack; return it, and whether this call started it: one that runs is left as it is.

    Raises
    ------
    ConfigError
        If a program that is needed, infra/ or a given port is not there.
    TaskError
        If a part does not start; those that were started are ended, and nothing is left.
    """
    if any(letter.isspace() for letter in str(params.folder)):
        raise ConfigError("has a space in its path", where=params.folder, hint="set CABSTAND_HOME to another folder")
    if (found := _running(params.folder)) is not None:
        return found, False
    missing = environment.check()
    ports = {}
    if params.port_base is not None:
        ports = {name: check_free(params.port_base + n, "--port-base") for n, name in enumerate(parts.PORTS)}
    if (abandoned := load(params.folder)) is not None:
        _log.warning("an earlier stack was not ended with `down`: ending what is left of it")
        end_all(abandoned.folder)
    params.folder.mkdir(parents=True, exist_ok=True)
    me = processes.known(os.getpid())
    state = State(
        params.folder,
        up=Part(me.pid, me.started),
        ports=ports,
        facts={"missing": missing, "use_image": params.use_image},
    )
    has_kept = (params.folder / "kept").is_dir()
    state.save()
    try:
        _start(state, params)
    except BaseException:
        with progress("ending what was started"):
            end_all(params.folder, keep=has_kept)
        raise
    shutil.rmtree(params.folder / "kept", ignore_errors=True)
    return state, True


def _running(folder: Path) -> State | None:
    """Return the stack in a folder if it runs, even with a part that has ended; raise a TaskError if it is starting."""
    state = load(folder)
    if state is None:
        return None
    if state.up and state.up.process.alive:
        raise TaskError(f"process {state.up.pid} is starting a stack here", where=folder, hint="cabstand local down")
    started = not state.up and any(part.process.alive for part in state.parts.values())
    return state if started else None


def _start(state: State, params: Params) -> None:
    begun = time.monotonic()
    with _step(state, "copying infra/"):
        terraform.copy(params.infra, state.folder / "account")
    with _step(state, "starting the emulator"):
        _part(state, "emulator")
    with _step(state, "bootstrapping the account (about a minute)"):
        _bootstrap(state, params)
    with _step(state, "applying infra/ (about a minute)"):
        terraform.apply(state)
    kept.restore(state)
    with _step(state, "starting PostgreSQL"):
        _part(state, "postgres")
    with _step(state, "starting MLflow (about a minute)"):
        _part(state, "mlflow")
    for name in NAMES[NAMES.index("mlflow") + 1 : -1]:
        with _step(state, f"starting the {name}"):
            _part(state, name)
    with _step(state, "making an API key"):
        state.facts |= {"key": logins.api_key(state), "mlflow_user": logins.mlflow_user(state)}
    state.facts["seconds"] = round(time.monotonic() - begun)
    state.up = None
    state.save()
    _part(state, "supervisor")


def _bootstrap(state: State, params: Params) -> None:
    """Bootstrap the account, which mostly waits, and build the function's package meanwhile."""
    pool = ThreadPoolExecutor(1)
    try:
        package = pool.submit(terraform.package, state, params.infra, quick=params.quick)
        terraform.bootstrap(state)
        package.result()
    finally:
        pool.shutdown(wait=False)  # after an interruption its program is ended with all others


def _part(state: State, name: str) -> None:
    if part := parts.start(state, name):
        state.parts[name] = part
        state.save()


@contextmanager
def _step(state: State, label: str) -> Iterator[None]:
    """Show a step while it runs, and log how long it took."""
    begun = time.monotonic()
    with progress(label):
        yield
    _log.info("%s: %.0f s", label.partition(" (")[0], time.monotonic() - begun)
    state.facts.setdefault("steps", {})[label.partition(" (")[0]] = round(time.monotonic() - begun, 1)

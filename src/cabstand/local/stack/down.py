"""End a stack, whatever is left of it, and delete its folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from cabstand.errors import TaskError
from cabstand.local.stack import kept, parts, processes
from cabstand.local.stack.state import NAMES, State, load

PATIENCE_S = 60.0  # for an `up` that ends what it started


def run(folder: Path, *, keep: bool = False) -> dict[str, Any]:
    """End the stack in a folder; with `keep`, leave what the next one in it takes over.

    Raises
    ------
    TaskError
        If its data are to be kept and the emulator, which has them, does not run; nothing is ended then.
    """
    if not folder.exists():
        return {"folder": str(folder), "ended": [], "kept": 0}
    state = _readable(folder)
    if state and state.up and state.up.pid != os.getpid():
        processes.end(state.up.process, patience_s=PATIENCE_S)
        state = _readable(folder)
    n_kept = 0
    if keep:
        if not state or "emulator" not in state.parts or not state.parts["emulator"].process.alive:
            raise TaskError("does not run, so nothing can be kept", where="emulator", hint="cabstand local down")
        parts.end(state, "supervisor")
        n_kept = kept.save(state)
    end_all(folder, keep=keep)
    return {"folder": str(folder), "ended": [*state.parts] if state else [], "kept": n_kept}


def end_all(folder: Path, *, keep: bool = False) -> None:
    """End every process of the stack in a folder, in the reverse order of their start, and delete its files."""
    state = _readable(folder)
    for name in reversed(NAMES):
        if state:
            parts.end(state, name)
    processes.kill(processes.orphans(folder))
    delete(folder, keep=keep)


def _readable(folder: Path) -> State | None:
    """Return the stack in a folder; None if its file is damaged: its processes are found by their mark then."""
    try:
        return load(folder)
    except TaskError:
        return None


def delete(folder: Path, *, keep: bool = False) -> None:
    """Delete a stack's folder, or all but what is kept."""
    if not folder.exists():
        return
    database = folder / "postgres"
    for path in folder.iterdir():
        if keep and path.name in kept.NAMES:
            continue
        if path == database and path.is_symlink():
            shutil.rmtree(path.resolve(), ignore_errors=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()

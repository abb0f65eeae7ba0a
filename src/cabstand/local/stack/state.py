"""What a stack consists of, in one file: its parts with their processes, and what was applied."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cabstand.errors import TaskError
from cabstand.local.stack.processes import Process

# The parts, in the order in which they start.
NAMES = ("emulator", "postgres", "mlflow", "gateway", "services", "supervisor")


@dataclass
class Part:
    """A part that is a process of its own."""

    pid: int
    started: float  # seconds since 1970
    address: str = ""
    restarts: int = 0
    note: str = ""  # what a person should know about it

    @property
    def process(self) -> Process:
        """Its process."""
        return Process(self.pid, self.started)


@dataclass
class State:
    """The stack in a folder."""

    folder: Path
    up: Part | None = None  # the command that is starting it
    parts: dict[str, Part] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # Terraform's outputs and what was found missing

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self.folder / "state.json"

    @property
    def calls(self) -> Path:
        """Where the emulator records each role's calls, and whether they were allowed."""
        return self.folder / "calls.jsonl"

    def log(self, name: str) -> Path:
        """Return the log file of a part."""
        return self.folder / "logs" / f"{name}.log"

    def address(self, name: str) -> str:
        """Return the address of a part's port."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def save(self) -> None:
        """Write the file aside, then rename it; only its owner can read it."""
        content = asdict(self)
        del content["folder"]
        aside = self.file.with_suffix(f".{os.getpid()}")
        aside.touch(mode=0o600)
        aside.write_text(json.dumps(content, indent=1), encoding="utf-8")
        aside.replace(self.file)


def load(folder: Path) -> State | None:
    """Return the stack in a folder, or None where there is none."""
    file = folder / "state.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        parts = {name: Part(**part) for name, part in content.pop("parts").items()}
        up = content.pop("up")
        return State(folder=folder, parts=parts, up=Part(**up) if up else None, **content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise TaskError("is not the state of a stack", where=file, hint="cabstand local down") from error


def required(folder: Path) -> State:
    """Return the stack in a folder; raise a TaskError where there is none."""
    if (state := load(folder)) is None:
        raise TaskError("nothing runs here", where=folder, hint="cabstand local up")
    return state


@contextmanager
def changing(folder: Path) -> Iterator[State]:
    """Change the state of a running stack, which a supervisor and a command may do at the same time."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = required(folder)
        yield state
        state.save()

"""The memory limit of a task: a cgroup of version 2 or 1 where one can be made, otherwise a limit of each process."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PREFIX = "cabstand-"


@dataclass(frozen=True)
class Group:
    """A cgroup of one task."""

    folder: Path
    version: int

    @property
    def procs(self) -> Path:
        """The file that a process joins by writing its id to it."""
        return self.folder / "cgroup.procs"

    def ran_out(self) -> bool:
        """Whether the kernel killed a process of the group for lack of memory."""
        file = self.folder / ("memory.events" if self.version == 2 else "memory.oom_control")
        with suppress(OSError):
            words = dict(line.split() for line in file.read_text().splitlines())
            return int(words.get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Remove the group, as soon as the kernel lets its last processes go."""
        for _ in range(50):
            with suppress(OSError):
                self.folder.rmdir()
                return
            if not self.folder.exists():
                return
            time.sleep(0.1)


def limited(identity: str, memory_mib: int) -> Group | None:
    """Return a new group with a limit, or None where none can be made."""
    found = _parent()
    if not found:
        return None
    folder, version = found[0] / f"{_PREFIX}{identity}", found[1]
    names = ("memory.max", "memory.swap.max") if version == 2 else ("memory.limit_in_bytes",)
    try:
        folder.mkdir(exist_ok=True)
        (folder / names[0]).write_text(str(memory_mib << 20))
    except OSError:
        return None
    for name in names[1:]:
        with suppress(OSError):  # absent where the kernel counts no swap
            (folder / name).write_text("0")
    return Group(folder, version)


def of_task(identity: str) -> Group | None:
    """Return the group that an earlier runner made for a task, if it is still there."""
    found = _parent()
    folder = found[0] / f"{_PREFIX}{identity}" if found else None
    return Group(folder, found[1]) if found and folder and folder.is_dir() else None


@cache
def _parent() -> tuple[Path, int] | None:
    """Return the folder in which groups with a memory limit can be made, and the version of cgroups."""
    for folder, version in _candidates():
        trial = folder / f"{_PREFIX}trial"
        with suppress(OSError):
            trial.mkdir(exist_ok=True)
            limit = trial / ("memory.max" if version == 2 else "memory.limit_in_bytes")
            works = limit.exists()
            trial.rmdir()
            if works:
                return folder, version
    return None


def _candidates() -> list[tuple[Path, int]]:
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                # Version 2 limits no group that has processes of its own besides, so make a sibling of this one.
                root = Path("/sys/fs/cgroup")
                own = root / path.strip("/")
                found += [(own.parent, 2)] * (own != root) + [(own, 2)]
            elif "memory" in controllers.split(","):
                root = Path("/sys/fs/cgroup/memory")
                found += [(root / path.strip("/"), 1), (root, 1)]
    return found

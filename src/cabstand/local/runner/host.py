"""A task as processes of this machine, with this Python in place of the image's."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

import cabstand
from cabstand.local.runner import box, memory, processes
from cabstand.local.runner.order import Order

_log = logging.getLogger(__name__)
_LAUNCH = Path(__file__).with_name("launch.py")
_IMAGE_FOLDERS = ("/tmp", "/work")  # noqa: S108  # the volumes of the batch image
# What a task needs of this machine to reach the network as this process does.
_KEPT = ("HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH", "TZ")


class HostRun(processes.Run):
    """A running task; bubblewrap, where installed, gives it a /tmp of its own and ends its descendants with it."""

    def __init__(self, order: Order, folder: Path, environment: dict[str, str], cores: Sequence[int]) -> None:
        self.id = order.id
        self.group = memory.limited(order.id, order.memory_mib)
        if not self.group:
            _say_once()
        folders = {path: folder / path.strip("/") for path in (*_IMAGE_FOLDERS, *order.folders)}
        for path in folders.values():
            path.mkdir(parents=True, exist_ok=True)
        limits = {
            "parent": os.getpid(),
            "procs": str(self.group.procs) if self.group else None,
            "data_bytes": None if self.group else order.memory_mib << 20,
            "cores": list(cores),
        }
        launch = [sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(limits)]
        self.boxed = box.available()
        needed = [sys.prefix, sys.base_prefix, *_search_path(), str(folder)]
        boxed = box.words(folders["/tmp"], needed) if self.boxed else []  # noqa: S108
        self.process = subprocess.Popen(
            [*launch, *boxed, *_command(order)],
            env=_environment(folders | ({"/tmp": Path("/tmp")} if self.boxed else {}), environment),  # noqa: S108
            cwd=folders["/work"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def terminate(self) -> None:
        """Send SIGTERM to the command, as ECS does to the first process of a container."""
        with suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            while self.boxed and (inner := process.children()):  # bubblewrap, its init, the command
                process = inner[0]
                if "bwrap" not in process.name():
                    break
            process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every process of the task."""
        processes.kill(self.id)

    def out_of_memory(self, code: int) -> bool:
        """Whether the task ended because it used more memory than its definition allows."""
        return code != 0 and bool(self.group and self.group.ran_out())

    def close(self) -> None:
        """Leave nothing of the task behind."""
        self.kill()
        self.output.close()
        if self.group:
            self.group.remove()


@cache
def _say_once() -> None:
    _log.warning(
        "no memory cgroup can be made here: prlimit holds each process of a task to the memory of the whole task, and "
        "one that asks for more gets MemoryError (exit code 1), not OutOfMemoryError"
    )


def _search_path() -> list[str]:
    """Return where a task finds this very package, and what this process was told to search."""
    return [str(Path(cabstand.__file__).parents[1]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]


def _command(order: Order) -> list[str]:
    words = [*(order.entry_point or ("cabstand",)), *order.command]
    return [sys.executable, "-m", "cabstand", *words[1:]] if words[0] == "cabstand" else words


def _environment(folders: dict[str, Path], given: dict[str, str]) -> dict[str, str]:
    """Return the variables of a task; those of its image and definition name its volumes, which are elsewhere here."""
    kept = {name: os.environ[name] for key in _KEPT for name in (key, key.lower()) if name in os.environ}
    image = {"HOME": "/work", "CABSTAND_HOME": "/work", "TMPDIR": "/tmp"}  # noqa: S108
    found = {name: _here(value, folders) for name, value in (image | given).items()}
    found.pop("NUMBA_CACHE_DIR", None)  # this Python's own compiled functions, rather than compiling in each task
    return {
        **kept,
        "NO_PROXY": f"127.0.0.1,localhost,{os.environ.get('NO_PROXY', '')}".rstrip(","),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(_search_path())),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        **found,
    }


def _here(value: str, folders: dict[str, Path]) -> str:
    for path, folder in folders.items():
        if value == path or value.startswith(f"{path}/"):
            return f"{folder}{value.removeprefix(path)}"
    return value

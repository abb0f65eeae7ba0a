"""A task in the batch image, with podman or Docker."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache

from cabstand.local.runner import processes
from cabstand.local.runner.order import Order

_KILLED = 137
# Debian's podman needs runc where cgroups are of both versions, and cgroupfs where no systemd runs.
_GLOBAL = {"podman": ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--log-level", "fatal"], "docker": []}
_OF_ENGINE = ("HOME", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_PODMAN_LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


@cache
def engine(image: str) -> str | None:
    """Return the program that has the image, or None."""
    for program in ("podman", "docker"):
        if shutil.which(program):
            words = [program, "image", "inspect", image]
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                return program
    return None


class ContainerRun(processes.Run):
    """A running task in a container on the network of this machine, where the emulator is."""

    def __init__(self, order: Order, image: str, environment: dict[str, str], cores: Sequence[int]) -> None:
        self.id, self.program = order.id, engine(image) or "podman"
        self._sent_kill = False
        words = [self.program, *_GLOBAL[self.program], "run", "--rm", "--name", name(order.id), "--network", "host"]
        words += ["--read-only", "--cap-drop", "all", "--no-healthcheck", "--memory", f"{order.memory_mib}m"]
        words += ["--cpuset-cpus", ",".join(map(str, cores)), *(_PODMAN_LIMITS if self.program == "podman" else [])]
        # Values stay out of the command line, which everyone here can read, but for what the engine itself reads too.
        for variable, value in environment.items():
            words += ["--env", f"{variable}={value}" if variable in _OF_ENGINE else variable]
        if order.entry_point:
            words += ["--entrypoint", order.entry_point[0]]
        self.process = subprocess.Popen(
            [*words, image, *order.entry_point[1:], *order.command],
            env=os.environ | {key: value for key, value in environment.items() if key not in _OF_ENGINE},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def terminate(self) -> None:
        """Send SIGTERM to the container."""
        self._signal("TERM")

    def kill(self) -> None:
        """End the container."""
        if self.poll() is None:
            self._sent_kill = True
            self._signal("KILL")

    def out_of_memory(self, code: int) -> bool:
        """Whether the kernel killed the container: podman 4.3 does not tell, but nobody else sends SIGKILL."""
        return code == _KILLED and not self._sent_kill

    def close(self) -> None:
        """Leave nothing of the task behind."""
        if self.process.poll() is None:
            self.kill()
            self.process.wait()
        self.output.close()

    def _signal(self, number: str) -> None:
        words = [self.program, "kill", "--signal", number, name(self.id)]
        subprocess.run(words, capture_output=True, check=False)


def name(identity: str) -> str:
    """Return the name of a task's container."""
    return f"cabstand-{identity}"


def remove(identity: str, program: str) -> None:
    """Remove the container of a task whose runner died."""
    for words in (["kill"], ["rm", "--force"]):
        subprocess.run([program, *words, name(identity)], capture_output=True, check=False)
    processes.kill(identity)

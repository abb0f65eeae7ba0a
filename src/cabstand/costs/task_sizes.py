"""The sizes of Fargate tasks with at least one core.

Source: Amazon ECS developer guide, "Fargate task definition considerations", task CPU and memory.
"""

from __future__ import annotations

from dataclasses import dataclass

# CPU units: least, most, and step of memory in MiB.
_MEMORY = {
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}


@dataclass(frozen=True)
class TaskSize:
    """CPU units (1024 per core) and memory in MiB, in a combination that Fargate offers."""

    cpu: int
    memory_mib: int


def smallest(n_workers: int, memory_mib: float) -> TaskSize | None:
    """Return the smallest task with a core for each worker and at least this memory, or None if there is none."""
    for cpu, (least, most, step) in _MEMORY.items():
        steps = max(0, -(-(memory_mib - least) // step))
        if cpu >= 1024 * n_workers and least + steps * step <= most:
            return TaskSize(cpu, int(least + steps * step))
    return None

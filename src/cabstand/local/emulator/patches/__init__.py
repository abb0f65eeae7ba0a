"""Fixes for what moto lacks to apply our Terraform, one file each.

Each file says which call fails in moto and what its `apply` changes. `tests/cloud/test_patches.py` makes each call on
an unpatched moto and fails once the call works there: then delete the file.
"""

from __future__ import annotations

from collections.abc import Callable

from cabstand.local.emulator.patches import (
    budgets,
    conditional_deny,
    instance_groups,
    log_queries,
    managed_secret,
    moved_label,
    rule_changes,
    rule_descriptions,
    snap_start,
)

ALL: dict[str, Callable[[], None]] = {
    "budgets": budgets.apply,
    "conditional_deny": conditional_deny.apply,
    "instance_groups": instance_groups.apply,
    "log_queries": log_queries.apply,
    "managed_secret": managed_secret.apply,
    "moved_label": moved_label.apply,
    "rule_changes": rule_changes.apply,
    "rule_descriptions": rule_descriptions.apply,
    "snap_start": snap_start.apply,
}

_applied: set[str] = set()


def apply_all() -> None:
    """Apply every patch to this process, once."""
    for name in ALL:
        apply(name)


def apply(name: str) -> None:
    """Apply one patch to this process, once."""
    if name not in _applied:
        ALL[name]()
        _applied.add(name)

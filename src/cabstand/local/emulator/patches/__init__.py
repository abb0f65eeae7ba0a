"""Fixes for what moto lacks to apply our Terraform, one function each.

`tests/cloud/test_patches.py` makes each call on an unpatched moto and fails once the call works there: then delete the
function.
"""

from __future__ import annotations

from functools import cache

from cabstand.local.emulator.patches import (
    corrections,
    deliveries,
    events,
    measuring,
    missing_calls,
    task_changes,
    tasks,
    versions,
)

ALL = {
    patch.__name__: patch
    for patch in (
        missing_calls.budgets,
        missing_calls.log_queries,
        missing_calls.stage_changes,
        corrections.conditional_deny,
        corrections.function_code,
        corrections.instance_groups,
        corrections.managed_secret,
        corrections.moved_label,
        corrections.rule_changes,
        corrections.rule_descriptions,
        corrections.schedule_checks,
        corrections.snap_start,
        deliveries.log_deliveries,
        measuring.alarm_checks,
        measuring.metric_data,
        measuring.metric_filters,
        tasks.task_records,
        tasks.task_overrides,
        tasks.task_tokens,
        task_changes.task_stops,
        task_changes.task_lists,
        task_changes.task_changes,
        events.event_arrays,
        events.event_deliveries,
        events.event_inputs,
        events.event_tests,
        versions.version_numbers,
        versions.alias_revisions,
    )
}


@cache
def apply(name: str) -> None:
    """Apply one patch to this process, once."""
    ALL[name]()

"""Whether each log group forgets: without a retention it is billed for ever."""

from __future__ import annotations

from collections.abc import Iterator

from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.account.inventory import is_named_after
from cabstand.io.aws import items


def retention(subject: Subject) -> Iterator[Line]:
    """Look for log groups of the environment that keep everything."""
    groups = {
        one["logGroupName"]: one.get("retentionInDays") for one in items("logs", "describe_log_groups", "logGroups[]")
    }
    own = {name: days for name, days in groups.items() if is_named_after(subject.deployment, name)}
    endless = sorted(name for name, days in own.items() if days is None)
    for name in endless:
        hint = f"aws logs put-retention-policy --log-group-name {name} --retention-in-days 30"
        yield Line("log retention", "warn", f"{name} keeps its lines for ever", hint)
    if f"/aws/lambda/{subject.deployment.function}" not in own:
        hint = "make deploy creates it, with a retention"
        yield Line("log retention", "warn", "the function has no log group", hint)
    if own and not endless:
        yield Line(
            "log retention", "ok", f"{len(own)} groups, kept for {max(d or 0 for d in own.values())} days at most"
        )


CHECKS = {"log retention": retention}

"""`cabstand doctor`: checks of an environment in families, each check a small function that yields lines."""

from __future__ import annotations

from cabstand.account.doctor import (
    absence,
    caller,
    latency,
    logs,
    models,
    quotas,
    safely,
    service,
    state,
    tasks,
    tools,
    tracking,
)
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject

_TOOLS = {"tools": tools.check}
_CALLER = {"credentials": caller.credentials, "clock": caller.clock}
_ACCOUNT = {
    **quotas.CHECKS, **state.CHECKS, **tracking.CHECKS, **service.CHECKS, **models.CHECKS, **latency.CHECKS,
    **tasks.CHECKS, **logs.CHECKS,
}  # fmt: skip


def run(subject: Subject) -> list[Line]:
    """Make every check; one that breaks is a failed line, and the others go on.

    What AWS alone can tell is not asked without credentials, of an emulator that does not run or an absent environment.
    """
    found = safely.run(_TOOLS, subject)
    if not subject.answers:
        return found
    asked = safely.run(_CALLER, subject)
    found += asked
    if "fail" in {line.status for line in asked if line.name == "credentials"}:
        return [*found, Line("account", "fail", "not checked, for lack of credentials", "see the line `credentials`")]
    if none := absence.line(subject):
        return [*found, none]
    return found + safely.run(_ACCOUNT, subject)

"""Whether there is an environment to check: where there is none, each of its parts would be missing on its own."""

from __future__ import annotations

from contextlib import suppress

from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.errors import CabstandError
from cabstand.io.aws import call, client


def line(subject: Subject) -> Line | None:
    """Return the line that says that there is no such environment, or None if the account has a part of it."""
    if subject.on_laptop:
        return None  # its stack says which parts run
    name = subject.deployment.name
    with suppress(CabstandError):  # what may not be looked at, the checks name one by one
        if not (subject.schedules or subject.definitions or _has_function(subject)):
            found = f"account {subject.account} has no {name} in {client('lambda').meta.region_name}"
            make = f"make bootstrap and make deploy ENV={subject.deployment.environment} create it"
            hint = f"name another with --environment; {make}"
            return Line("environment", "fail", found, hint)
    return None


def _has_function(subject: Subject) -> bool:
    name = subject.deployment.function
    return bool(call("lambda", "get_function_configuration", missing_ok=True, FunctionName=name))

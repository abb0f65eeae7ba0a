"""Run checks so that one that is refused, or breaks, is a line of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from cabstand.account.doctor.line import Line
from cabstand.errors import CabstandError

T = TypeVar("T")
Checks = Mapping[str, Callable[[T], Iterator[Line]]]

_NO_HINT = "the message is all that is known: look in the service's console"
# What the services call a missing permission; a HEAD of S3 has no code but its status.
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}


def run(checks: Checks[T], subject: T) -> list[Line]:
    """Return the lines of each check."""
    return [line for name, check in checks.items() for line in _lines(name, check, subject)]


def _lines(name: str, check: Callable[[T], Iterator[Line]], subject: T) -> Iterator[Line]:
    try:
        yield from check(subject)
    except CabstandError as error:
        if _is_denied(error):
            what = f"not checked, because you lack a permission: {error}"
            yield Line(name, "fail", " ".join(what.split()), "allow it; docs/operations.md#doctor lists what is needed")
        else:
            where = f"{error.where}: " if error.where else ""
            yield Line(name, "fail", " ".join(f"{where}{error.what}".split()), error.hint or _NO_HINT)
    except Exception as error:
        yield Line(name, "fail", f"the check broke: {type(error).__name__}: {error}", "report this as a fault")


def _is_denied(error: BaseException | None) -> bool:
    while error is not None:
        details = getattr(error, "response", None) or {}
        if isinstance(details, dict) and details.get("Error", {}).get("Code") in _DENIED:
            return True
        error = error.__cause__
    return False

"""Who asks, and whether this machine's clock is right enough for AWS to believe its signatures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.errors import TaskError
from cabstand.io.aws import call, client, refusals

# AWS refuses what was signed over five minutes from its own time.
REFUSED_S, NOTICED_S = 300, 30


def credentials(subject: Subject) -> Iterator[Line]:
    """Say whose credentials are used."""
    try:
        caller = call("sts", "get_caller_identity")
    except TaskError as error:
        hint = error.hint or "log in again: the credentials are wrong, or have expired"
        yield Line("credentials", "fail", error.what, hint)
        return
    found = f"{caller['Arn']} in account {caller['Account']}"
    if caller["Arn"].endswith(":root") and not subject.on_laptop:
        yield Line("credentials", "warn", found, "use a role, not the root user")
    else:
        yield Line("credentials", "ok", found)


def clock(subject: Subject) -> Iterator[Line]:
    """Compare this machine's clock with the time of AWS's answer, which a refusal has, too."""
    del subject
    sts = client("sts")
    try:
        with refusals("sts get_caller_identity"):
            answer = sts.get_caller_identity()
    except TaskError as error:
        answer = getattr(error.__cause__, "response", None)
        if not answer:
            return  # nothing answers, as the line about credentials says
    theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    skew = (datetime.now(UTC) - theirs).total_seconds()
    found = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS"
    hint = "set it: timedatectl set-ntp true"
    if abs(skew) >= REFUSED_S:
        yield Line("clock", "fail", f"{found}, which refuses signatures from {REFUSED_S} s on", hint)
    else:
        yield Line("clock", "warn" if abs(skew) > NOTICED_S else "ok", found, hint if abs(skew) > NOTICED_S else "")

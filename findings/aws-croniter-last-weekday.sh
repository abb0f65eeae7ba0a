#!/usr/bin/env bash
# aws-croniter 2.1.1: an expression with a bare L as its day of the week, such as "0 12 ? * L *", is accepted but never fires;
# one with LW, the last weekday of the month, is a ValueError of int().
#
# Seen: get_next returns None, although L there is the last day of the week in AWS's grammar, so every Saturday, as 7 and SAT
# are; "7L", the last Saturday of the month, works. None is also what a schedule gives whose last year is over.
#
# Why it matters: a local scheduler on this library silently leaves such a job out. Write SAT or 7, or refuse an expression
# at load if its first occurrence is None. cabstand reads expressions by itself and compares the others with this library.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check aws-croniter==2.1.1

"$work/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timezone

from aws_croniter.aws_croniter import AwsCroniter


def first(weekday):
    """Return the first two days in 2026 on which an expression with this day of the week fires."""
    found = AwsCroniter(f"0 12 ? * {weekday} *").get_next(datetime(2026, 1, 1, tzinfo=timezone.utc), 2)
    days = [one and f"{one:%a %d %b}" for one in found]
    print(f"0 12 ? * {weekday} *: {days}")
    return days


def last_weekday():
    """Return the error that an expression for the last weekday of each month gives."""
    try:
        return str(AwsCroniter("0 12 LW * ? *").get_next(datetime(2026, 1, 1, tzinfo=timezone.utc), 1))
    except ValueError as error:
        print(f"0 12 LW * ? *: {type(error).__name__}: {error}")
        return type(error).__name__


SATURDAYS = ["Sat 03 Jan", "Sat 10 Jan"]
EXPECTED = {"SAT": SATURDAYS, "7": SATURDAYS, "7L": ["Sat 31 Jan", "Sat 28 Feb"], "L": [None, None]}
EXPECTED["LW"] = "ValueError"
seen = {weekday: first(weekday) for weekday in EXPECTED if weekday != "LW"} | {"LW": last_weekday()}
sys.exit(0 if seen == EXPECTED else f"The behaviour changed: expected {EXPECTED}.")
PYTHON
echo "Still so: L as the day of the week never fires, and LW is an error."

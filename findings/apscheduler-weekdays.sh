#!/usr/bin/env bash
# apscheduler 3.11.3: CronTrigger counts weekdays from Monday = 0, also in from_crontab, and drops the "#1" of "mon#1".
#
# Seen: weekday 1 fires on Tuesdays, where crontab means Mondays and AWS means Sundays; 7, AWS's Saturday, is refused.
# "mon#1", AWS's first Monday of the month, is accepted and fires every Monday; "2#1", the same in numbers, is refused.
#
# Why it matters: whoever runs an AWS schedule on a laptop with this trigger gets another day, or a run every week in place of
# one a month, without any error. cabstand's schedules name their weekday (SUN), which all three read alike.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check apscheduler==3.11.3

"$work/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone

from apscheduler.triggers.cron import CronTrigger


def fires(weekday):
    """Return the first five days in 2026 on which a crontab line with this weekday fires, or "refused"."""
    try:
        trigger = CronTrigger.from_crontab(f"0 12 * * {weekday}", timezone=timezone.utc)
    except ValueError:
        found = "refused"
    else:
        now, days = datetime(2026, 1, 1, tzinfo=timezone.utc), []
        for _ in range(5):
            last = trigger.get_next_fire_time(None, now)
            days.append(f"{last:%a %d %b}")
            now = last + timedelta(minutes=1)
        found = ", ".join(days)
    print(f"0 12 * * {weekday}: {found}")
    return found


MONDAYS = "Mon 05 Jan, Mon 12 Jan, Mon 19 Jan, Mon 26 Jan, Mon 02 Feb"
TUESDAYS = "Tue 06 Jan, Tue 13 Jan, Tue 20 Jan, Tue 27 Jan, Tue 03 Feb"
EXPECTED = {"mon": MONDAYS, "0": MONDAYS, "1": TUESDAYS, "7": "refused", "mon#1": MONDAYS, "2#1": "refused"}
seen = {weekday: fires(weekday) for weekday in EXPECTED}
sys.exit(0 if seen == EXPECTED else f"The behaviour changed: expected {EXPECTED}.")
PYTHON
echo "Still so: Monday is 0, and mon#1 is every Monday."

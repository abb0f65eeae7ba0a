"""How long the service takes, cold and warm."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from itertools import islice

from cabstand.account.doctor import web
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.io.aws import items

WARM_LIMIT_S = 1.0  # of the alarm api-slow (max_p99_latency_ms), by default
COLD_LIMIT_S = 10.0  # the function's time limit, by default
N_WARM = 3
DAY_S = 86_400
MOST_LINES = 1_000
_STARTED = re.compile(r"(?:Init|Restore) Duration: ([\d.]+) ms")
_TOOK = re.compile(r"\tDuration: ([\d.]+) ms")


def latency(subject: Subject) -> Iterator[Line]:
    """Ask the service whether it is alive, several times; the slowest start of the day is in the function's log."""
    url = f"{subject.address}/healthz"
    first = web.get(url)
    if first.status != 200:
        what = f"{url}: {first.error or f'answers {first.status}'}"
        yield Line("service", "fail", what, _log_of(subject))
        return
    warm = statistics.median(web.get(url).seconds for _ in range(N_WARM))
    found = f"{1000 * warm:.0f} ms, after {1000 * first.seconds:.0f} ms at first"
    if warm > WARM_LIMIT_S:
        hint = "more memory is more CPU (api_memory_mib); see the dashboard"
        yield Line("warm latency", "warn", f"{found}; over {WARM_LIMIT_S:g} s", hint)
    else:
        yield Line("warm latency", "ok", found)


def cold_starts(subject: Subject) -> Iterator[Line]:
    """Read the slowest cold start of the day from the lines that Lambda writes."""
    group, since = f"/aws/lambda/{subject.deployment.function}", int((time.time() - DAY_S) * 1000)
    wanted = {"logGroupName": group, "filterPattern": "REPORT", "startTime": since}
    lines = islice(items("logs", "filter_log_events", "events[].message", missing_ok=True, **wanted), MOST_LINES)
    starts = [float(start[1]) + _duration(line) for line in lines if (start := _STARTED.search(line))]
    if not starts:
        yield Line("cold latency", "ok", "no cold start in the last day's log")
    elif max(starts) > COLD_LIMIT_S * 1000:
        found = f"{max(starts):.0f} ms at worst, in {len(starts)} cold starts of the last day"
        yield Line("cold latency", "warn", found, "a smaller package or more memory (api_memory_mib); is SnapStart on?")
    else:
        yield Line("cold latency", "ok", f"{max(starts):.0f} ms at worst, in {len(starts)} cold starts of the last day")


def _duration(line: str) -> float:
    took = _TOOK.search(line)
    return float(took[1]) if took else 0.0


def _log_of(subject: Subject) -> str:
    if subject.on_laptop:
        return "cabstand local logs function"
    return f"aws logs tail /aws/lambda/{subject.deployment.function}"


CHECKS = {"service": latency, "cold latency": cold_starts}

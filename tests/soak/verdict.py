"""The figures of a soak, and which of its conditions hold."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from soak.acts import Run
from soak.faults import beyond_retries
from soak.memory import Growth
from soak.traffic import Answer

MOST_GROWTH = 0.05
NOT_READY = "urn:cabstand:problem:not-ready"
Line = tuple[str, Mapping[str, Any]]
Json = dict[str, Any]


def result(run: Run, growths: Sequence[Growth], lines: Iterable[Line], fired: Sequence[tuple[float, str]]) -> Json:
    """Return everything that is reported; `checks` says for each condition whether it holds."""
    answers = sorted(run.traffic.answers, key=lambda one: one.at)
    requests = _requests(answers, fired)
    logged = _predictions(answers, lines)
    versions = Counter(one.version for one in answers if one.n_rows)
    memory = [asdict(one) | {"growth": round(one.share, 4)} for one in growths]
    judged = {one.process.split()[0] for one in growths}
    checks = {
        "no failed request but those that S3 broke beyond retries": not requests["failed"],
        f"memory grows by less than {MOST_GROWTH:.0%}": judged == {"gateway", "function"}
        and all(one.share < MOST_GROWTH for one in growths),
        "predictions logged = answers - counted drops": logged["logged"] == logged["answered"] - logged["dropped"]
        and not (logged["unknown"] or logged["repeated"]),
        "every promoted model answered": all(versions[one] for one in run.promoted) and run.retrained == "promoted",
        "the canary passed, and both versions of the function answered": run.deployed == "completed"
        and {"1", run.second} == logged["by_function_version"].keys(),
    }
    return {
        "seconds": round(answers[-1].at - answers[0].at, 1),
        "requests": requests,
        "latency_ms": latencies(answers),
        "memory": memory,
        "predictions": logged,
        "s3_faults": dict(Counter(action.partition(":")[0] for _, action in fired)),
        "promoted": run.promoted,
        "checks": checks,
        "passed": all(checks.values()),
    }


def latencies(answers: Iterable[Answer]) -> dict[str, dict[str, float]]:
    """Return percentiles of the good answers' milliseconds, by kind and for all."""
    times: dict[str, list[float]] = defaultdict(list)
    for one in answers:
        if one.status == one.wanted:
            for kind in ("all", one.kind):
                times[kind].append(one.seconds * 1_000)
    return {kind: _percentiles(found) for kind, found in sorted(times.items())}


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [*times] * 99
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
    return {"n": len(times)} | {name: round(value, 1) for name, value in found.items()}


def _requests(answers: Sequence[Answer], fired: Sequence[tuple[float, str]]) -> Json:
    """Count what came of the requests; only an answer that names S3's failure may be excused by one."""
    wrong = [one for one in answers if one.status != one.wanted]
    excused = [one for one in wrong if one.problem == NOT_READY and beyond_retries(fired, one.at)]
    failed = [one for one in wrong if one not in excused]
    return {
        "sent": len(answers),
        "by_kind": {
            kind: dict(Counter(str(one.status) for one in answers if one.kind == kind))
            for kind in sorted({one.kind for one in answers})
        },
        "broken_by_s3": len(excused),
        "failed": len(failed),
        "first_failed": [asdict(one) for one in failed[:20]],
    }


def _predictions(answers: Iterable[Answer], lines: Iterable[Line]) -> Json:
    """Compare the predicted rows in the answers with those in the function's log."""
    answered = Counter({one.request_id: one.n_rows for one in answers if one.n_rows})
    found: Counter[tuple[str, int]] = Counter()
    by_version: Counter[str] = Counter()
    dropped = 0
    for version, line in lines:
        if line.get("event") == "prediction":
            found[line["request_id"], line["row"]] += 1
            by_version[version] += 1
        elif line.get("event") == "request":
            dropped += line["PredictionsDropped"]
    return {
        "answered": answered.total(),
        "logged": len(found),
        "dropped": dropped,
        "unknown": sum(request not in answered for request, _ in found),
        "repeated": found.total() - len(found),
        "by_function_version": dict(by_version),
    }

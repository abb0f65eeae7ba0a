"""What pages are made from, by hand: evidence with figures that could not be checked, and runs."""

from __future__ import annotations

from typing import Any


def check(subject: str, figure: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "subject": subject, "figure": figure, "expected": 73_908, "actual": 73_908.0 if status == "pass" else None,
        "tolerance": 0.005, "status": status, "protocol": "raw file; least squares", "reason": reason,
    }  # fmt: skip


ABSENT = "the file is not there"
CHECKS = [
    check("green.parquet", "rows", "pass"),
    check("green.parquet", "rmse", "fail", "the file is damaged"),
    *(check("yellow.parquet", figure, "not checked", ABSENT) for figure in ("rows", "kept", "rmse")),
    *(check("housing.csv.gz", figure, "not checked", ABSENT) for figure in ("R2", "MSE")),
]
EVIDENCE = {
    "made_at": "2026-01-02T03:04:05+00:00",
    "code": {"version": "0.1.0", "commit": None},
    "environment": {"python": "3.11.9", "platform": "Linux", "libraries": {"numpy": "2.3.0"}},
    "data": {"green.parquet": "9f" * 32},
    "summary": {"pass": 1, "fail": 1, "not checked": 5},
    "checks": CHECKS,
}


def step(status: str, **more: Any) -> dict[str, Any]:
    started = "2026-01-02T03:04:05.678+00:00"
    return {"status": status, "started": started, "ended": "2026-01-02T03:05:10.000+00:00", "attempts": 1} | more


RUN = {
    "schema_version": 1,
    "run_key": "pipeline-0123456789abcdef",
    "params": {"dataset": "green", "months": ["2023-01", "2023-02"], "zones": "", "track": True, "seed": 0},
    "steps": {
        "ingest": step("done", result={"months": [{"month": "2023-01", "rows_out": 64_453, "sha256": "9f" * 32}] * 2}),
        "cluster": step("done", result={"engine": "multicore", "n_clusters": 92, "run_id": None, "quality": {}}),
        "train": step("failed", error="holdout: <b>no rows</b>", attempts=2),
    },
}

FILES = [{"uri": "s3://cabstand-dev-lake-123456789012/trips/green/2023-01.parquet", "sha256": "9f" * 32}]
LOG = {
    "command": ["compare", "--input", "newest:green"],
    "log_uri": "s3://cabstand-dev-lake-123456789012/runs/daily-comparison-0123456789abcdef/logs/compare-2.log",
    "log_tail": ["INFO compare: " + "reading " * 40, "error: x: <b>it rains</b>"],
}
WORKFLOW_RUN = {
    "schema_version": 1,
    "run_key": "daily-comparison-0123456789abcdef",  # pragma: allowlist secret
    "params": {"workflow": "daily-comparison", "options": ["--input", "newest:green"], "scheduled": ""},
    "planned": ["compare", "publish", "tell"],
    "code_version": "0.1.0+1f3a9c22b0d4",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "steps": {
        "compare": step("done", attempts=2, inputs=FILES, outputs=FILES, result={"agree": True}, **LOG),
        "publish": step("failed", error="publish: it rains", **LOG),
    },
}
COMPARED = [
    {
        "step": "compare",
        "seconds": 64.3,
        "seconds_before": 61.0,
        "inputs": [{"uri": FILES[0]["uri"], "difference": "new"}],
    }
    | {"outputs": []},
    {"step": "publish", "seconds": 1.0, "seconds_before": None, "inputs": [], "outputs": []},
]
RUNS = [
    {"key": f"{name}-0123456789abcdef", "name": name, "state": state, "started": "2026-01-02T03:04:05.678+00:00"}
    | {"seconds": seconds, "retries": 1, "page": page}
    for name, state, seconds, page in (
        ("daily-comparison", "failed", 64.3, "one.html"),
        ("pipeline", "done", 5_000.0, "two.html"),
        ("weekly-sweep", "interrupted", None, None),
    )
]

"""The soak's judgement: what it must notice, and what it may excuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from soak import memory, verdict
from soak.acts import Run
from soak.faults import SDK_ATTEMPTS
from soak.memory import Growth
from soak.traffic import Answer

FLAT = [Growth("gateway", 100.0, 101.0), Growth("function 1, process 7", 120.0, 125.0)]
BREAKS = [(100.0 + n, "error:SlowDown") for n in range(SDK_ATTEMPTS)]


def answer(number: int, **changes: Any) -> Answer:
    good = {"at": 105.0 + number, "kind": "predict", "wanted": 200, "status": 200, "seconds": 0.01, "problem": ""}
    return Answer(**good | {"request_id": f"r{number}", "version": "v2", "n_rows": 1} | changes)


def line(request: str, function: str = "1") -> verdict.Line:
    return function, {"event": "prediction", "request_id": request, "row": 0}


ANSWERS = [answer(0), answer(1), answer(2)]
LINES = [line("r0"), line("r1", "2"), line("r2")]


def failed(**changes: Any) -> list[str]:
    """Return the conditions that do not hold in a run that is good but for the changes."""
    run = SimpleNamespace(
        traffic=SimpleNamespace(answers=changes.get("answers", ANSWERS)), second="2", promoted=["v2"],
        retrained=changes.get("retrained", "promoted"), deployed=changes.get("deployed", "completed"),
    )  # fmt: skip
    lines, growths = changes.get("lines", LINES), changes.get("growths", FLAT)
    found = verdict.result(cast(Run, run), growths, lines, changes.get("fired", BREAKS))
    assert found["passed"] is all(found["checks"].values())
    return [what.split()[0] for what, holds in found["checks"].items() if not holds]


def test_a_good_run_passes() -> None:
    assert failed() == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"answers": [*ANSWERS, answer(3, status=500, n_rows=0, problem="urn:cabstand:problem:internal-error")]}, "no"),
        ({"answers": [*ANSWERS, answer(3, status=0, n_rows=0, problem="ConnectionResetError")]}, "no"),
        (
            {"answers": [*ANSWERS, answer(3, status=503, n_rows=0, problem=verdict.NOT_READY)], "fired": BREAKS[1:]},
            "no",
        ),
        ({"growths": [FLAT[0], Growth("function 1, process 7", 120.0, 126.1)]}, "memory"),
        ({"growths": FLAT[:1]}, "memory"),
        ({"lines": LINES[:2]}, "predictions"),
        ({"lines": [*LINES, line("r9")]}, "predictions"),
        ({"lines": [*LINES, line("r2")]}, "predictions"),
        ({"retrained": "refused"}, "every"),
        ({"lines": [line("r0"), line("r1"), line("r2")]}, "the"),
        ({"deployed": "rolled back"}, "the"),
    ],
)
def test_each_fault_is_noticed(changes: dict[str, Any], named: str) -> None:
    assert failed(**changes) == [named]


def test_what_s3_broke_beyond_retries_is_excused_and_drops_are_counted() -> None:
    not_ready = answer(3, status=503, n_rows=0, problem=verdict.NOT_READY)
    dropped = ("1", {"event": "request", "PredictionsDropped": 1})
    assert failed(answers=[*ANSWERS, not_ready], lines=[*LINES[:2], dropped]) == []


def test_memory_is_judged_after_each_process_s_own_warm_up() -> None:
    samples = {
        "gateway": [(float(at), 100.0) for at in range(100)],
        "grows": [(float(at), 50.0 if at < 10 else 100.0 + at) for at in range(100)],
        "warms up": [(float(at), min(50.0, at)) for at in range(30, 100)],
        "too short": [(float(at), float(at)) for at in range(60, 100)],
    }
    found = {one.process: round(one.share, 2) for one in memory.growths(samples)}
    assert found == {"gateway": 0.0, "grows": 0.41, "warms up": 0.0}

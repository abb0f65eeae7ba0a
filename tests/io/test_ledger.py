"""The ledger keeps every decision once, whoever writes at the same time and whoever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import ConflictError, DataError
from cabstand.io import ledger, storage
from cabstand.monitoring.policy import Rules, window_key
from monitor_windows import BAD, DAY, about, window

RULES = Rules(breaches=2, cooldown=100 * DAY)
TESTS = Path(__file__).resolve().parents[1]
# Writers are forked from one process, which has imported all that they need.
FORKS = """
import json, os, signal, sys
sys.path += [sys.argv[1], f"{sys.argv[1]}/io"]
import boto3
from cabstand.io import ledger, storage
from monitor_windows import BAD, window
from test_ledger import RULES

lake, put_if, count = sys.argv[2], storage.put_if, 0


def write(kill_at, days):
    def counted(*args):
        global count
        for step in (lambda: None, lambda: put_if(*args)):
            done = step()
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    storage.put_if = counted
    for day in days:
        ledger.decide(lake, window(day, BAD), RULES, window(day).end)
    os._exit(0)


for together in json.loads(sys.argv[3]):
    children = [os.fork() or write(*one) for one in together]
    ends = [os.waitpid(child, 0)[1] for child in children]
    print(json.dumps([os.waitstatus_to_exitcode(end) for end in ends]), flush=True)
"""


@pytest.fixture(params=["disk", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "lake")
    request.getfixturevalue("atomic_puts")
    return f"s3://{request.getfixturevalue('bucket')}/lake"


def write(lake: str, *plan: list[tuple[int, list[int]]]) -> list[list[int]]:
    """Let writers decide on days, group after group; each is killed at one of its writes, or 0. Return their codes."""
    command = [sys.executable, "-c", FORKS, str(TESTS), lake, json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_window_is_decided_on_once(lake: str) -> None:
    one = window(0, BAD)
    first, new = ledger.decide(lake, one, RULES, one.end)
    again, new_again = ledger.decide(lake, one, RULES, one.end + DAY)
    assert (first, new, new_again) == (again, True, False)
    assert ledger.read(lake, "trip-duration") == [first]
    assert ledger.find(lake, "trip-duration", first.key) == first == ledger.find(lake, "trip-duration", window_key(one))
    assert ledger.read(lake, "housing") == []
    assert ledger.find(lake, "trip-duration", "other") is None


def test_records_are_in_order_of_time_and_keep_their_numbers(lake: str) -> None:
    for day in (2, 0, 1):
        ledger.decide(lake, window(day, BAD), RULES, window(day).end)
    found = ledger.read(lake, "trip-duration")
    assert [one.start for one in found] == [window(day).start for day in range(3)]
    assert [one.action for one in found] == ["retrain", "watch", "none"]  # in the order 2, 0, 1
    assert found[0].numbers["error"] == pytest.approx(3.96)
    assert ledger.read(lake, "trip-duration", newest=2) == found[1:]


def test_writers_at_the_same_time_lose_nothing(lake: str) -> None:
    """Each decides on its own windows and on one that they share; one retraining is asked for."""
    assert write(lake, [(0, [2 * i, 2 * i + 1, 99]) for i in range(4)]) == [[0] * 4]
    found = ledger.read(lake, "trip-duration")
    assert [one.start for one in found] == [window(day).start for day in (*range(8), 99)]
    assert [one.action for one in found].count("retrain") == 1
    assert max(one.breaches for one in found) == 9  # the last writer knew of all others


@pytest.mark.parametrize("lake", ["disk", pytest.param("s3", marks=pytest.mark.slow)], indirect=True)
def test_a_writer_killed_at_any_moment_leaves_a_whole_ledger(lake: str) -> None:
    plan: list[list[tuple[int, list[int]]]] = []
    for kill_at in range(1, 6):  # the killed one, a rival, the killed one again
        plan += [[(kill_at, [10 * kill_at])], [(0, [10 * kill_at + 1])], [(0, [10 * kill_at])]]
    ends = write(lake, *plan)
    assert [code for [code] in ends[::3]] == [-signal.SIGKILL] * 5
    assert [code for [code] in (*ends[1::3], *ends[2::3])] == [0] * 10
    found = ledger.read(lake, "trip-duration")
    assert len(found) == len({one.key for one in found}) == 10
    assert [one.action for one in found].count("retrain") == 1


def test_a_write_whose_answer_was_lost_counts(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = storage.put_if

    def put_if(uri: str, data: bytes, tag: str | None, **more: Any) -> str:
        stock(uri, data, tag, **more)
        raise ConflictError("changed by another writer")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "put_if", put_if)
        found, _ = ledger.decide(lake, window(0, BAD), RULES, window(0).end)
    assert ledger.read(lake, "trip-duration") == [found]


def test_what_came_of_a_decision_is_recorded_once(lake: str) -> None:
    found, _ = ledger.decide(lake, window(0, BAD), RULES, window(0).end)
    assert ledger.outcome(lake, found.problem, found.key, "retraining") is None
    first = ledger.add_outcome(lake, found.problem, found.key, "retraining", {"decision": "refused"})
    assert ledger.add_outcome(lake, found.problem, found.key, "retraining", {"decision": "promoted"}) == first
    assert ledger.outcomes(lake, found.problem) == {found.key: [first]}
    assert (first["decision_key"], first["decision"]) == (found.key, "refused")


def test_a_number_that_json_does_not_know_is_none(tmp_path: Path) -> None:
    odd = window(0, estimated=about(float("nan"), 0.0))
    found, _ = ledger.decide(str(tmp_path), odd, RULES, odd.end + timedelta(microseconds=1))
    [read] = ledger.read(str(tmp_path), "trip-duration")
    assert read.numbers["estimated_error"] is None
    assert read.at == found.at


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "key": "x"}'])
def test_a_damaged_record_is_one_line(content: str, tmp_path: Path) -> None:
    uri = ledger.record_uri(str(tmp_path), "trip-duration", "key")
    storage.write(uri, content.encode())
    with pytest.raises(DataError) as caught:
        ledger.read(str(tmp_path), "trip-duration")
    assert uri in str(caught.value)
    assert json.dumps(str(caught.value)).count("\\n") == 0

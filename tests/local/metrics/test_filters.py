"""Filter patterns against AWS's documented examples, and the metrics that they make."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cabstand.errors import ConfigError
from cabstand.local.metrics.filters import datums, matcher

EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "latency": 50,
    "ratio": -2.5e3,
    "ThisFlag": True,
    "text": "a (b) && c",
}
JSON_PATTERNS = [
    ('{ $.eventType = "UpdateTrail" }', True),
    ("{ $.eventType = UpdateTrail }", True),
    ('{ $.eventType = "updatetrail" }', False),
    ("{ $.eventType = Update* }", True),
    ("{ $.sourceIPAddress != 123.123.* }", True),
    ("{ $.sourceIPAddress = 111.111.* }", True),
    ('{ $.arrayKey[0] = "value" }', True),
    ('{ $.arrayKey[2] = "value" }', False),
    ("{ $.objectList[1].id = 2 }", True),
    ("{ $.SomeObject IS NULL }", True),
    ("{ $.SomeOtherObject IS NULL }", False),
    ("{ $.SomeOtherObject NOT EXISTS }", True),
    ("{ $.latency NOT EXISTS }", False),
    ("{ $.ThisFlag IS TRUE }", True),
    ("{ $.ThisFlag IS FALSE }", False),
    ("{ $.latency = 50.0 }", True),
    ("{ $.latency >= 50 && $.latency < 51 }", True),
    ("{ $.ratio = -2500 }", True),
    ("{ $.ratio > 1e-9 }", False),
    ("{ $.latency = * }", True),
    ("{ $.objectList = * }", True),
    ("{ $.absent = * }", False),
    ("{ $.absent != 1 }", False),
    ('{ ($.latency = 1) || ($.eventType = "UpdateTrail" && $.latency = 50) }', True),
    ("{ $.latency = 1 || $.latency = 50 && $.ratio = 0 }", False),
    ("{ ($.latency = 50 || $.latency = 1) && $.ratio = 0 }", False),
    ('{ $.text = "a (b) && c" }', True),
    ("{ $.eventType > 5 }", False),
]


@pytest.mark.parametrize(("pattern", "expected"), JSON_PATTERNS)
def test_json_patterns(pattern: str, expected: bool) -> None:
    assert matcher(pattern)(json.dumps(EVENT)) is expected


@pytest.mark.parametrize("line", ["", "plain words", "{not json", "[1]", '"text"'])
def test_a_json_pattern_matches_no_other_line(line: str) -> None:
    assert not matcher("{ $.a NOT EXISTS }")(line)


TERMS = [
    ("", "anything", True),
    ("ERROR", "[ERROR 400] BAD REQUEST", True),
    ("error", "[ERROR 400] BAD REQUEST", False),
    ("ERROR EXCEPTION", "ERROR: an EXCEPTION", True),
    ("ERROR EXCEPTION", "ERROR alone", False),
    ("?ERROR ?WARN", "WARN: late", True),
    ("?ERROR ?WARN", "INFO: fine", False),
    ("ERROR -EXITING", "ERROR: EXITING", False),
    ("ERROR -EXITING", "ERROR: retrying", True),
    ('"INTERNAL SERVER ERROR"', "500 INTERNAL SERVER ERROR", True),
    ('"INTERNAL SERVER ERROR"', "500 SERVER ERROR INTERNAL", False),
]


@pytest.mark.parametrize(("pattern", "line", "expected"), TERMS)
def test_terms(pattern: str, line: str, expected: bool) -> None:
    assert matcher(pattern)(line) is expected


@pytest.mark.parametrize("pattern", ["{ $.a = }", "{ a = 1 }", "{ $.a = 1 && }", "{ $.a = 1", '"open', "[ip, user]"])
def test_a_pattern_that_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="filter pattern"):
        matcher(pattern)


def metric_filter(value: str, pattern: str = "", **more: Any) -> dict[str, Any]:
    how = {"metricNamespace": "Jobs", "metricName": "Seconds", "metricValue": value, **more}
    return {"filterPattern": pattern, "metricTransformations": [how]}


def test_a_value_and_dimensions_come_from_the_line() -> None:
    how = metric_filter("$.wall_s", '{ $.event = "end" }', unit="Seconds", dimensions={"Job": "$.job"})
    [(namespace, datum)] = datums(how, json.dumps({"event": "end", "wall_s": 2.5, "job": "train"}))
    assert (namespace, datum["MetricName"], datum["Value"], datum["Unit"]) == ("Jobs", "Seconds", 2.5, "Seconds")
    assert datum["Dimensions"] == [{"Name": "Job", "Value": "train"}]
    assert list(datums(how, json.dumps({"event": "begin", "wall_s": 2.5, "job": "train"}))) == []
    assert list(datums(how, json.dumps({"event": "end", "wall_s": 2.5}))) == []  # a dimension is missing
    assert list(datums(how, json.dumps({"event": "end", "wall_s": "long", "job": "train"}))) == []


def test_a_fixed_value_counts_lines() -> None:
    [(_, datum)] = datums(metric_filter("1", "ERROR"), "ERROR: no")
    assert datum["Value"] == 1


def test_patterns_are_parsed_by_many_threads_at_once() -> None:
    code = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from cabstand.local.metrics.filters import grammar, matcher
sys.setswitchinterval(1e-6)
begin = threading.Barrier(16)
def one(n):
    begin.wait()
    return matcher('{ $.a = ' + str(n) + ' && ($.b = "x" || $.c NOT EXISTS) }')('{"a": %d, "b": "x"}' % n)
with ThreadPoolExecutor(16) as pool:
    for attempt in range(30):
        grammar.cache_clear()
        matcher.cache_clear()
        assert all(pool.map(one, range(16)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)

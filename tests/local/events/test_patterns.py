"""Event patterns as AWS documents them, asked of the emulator's TestEventPattern.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator import Clients

DETAIL: dict[str, Any] = {
    "state": "initializing",
    "n": 5,
    "zero": 0,
    "flag": True,
    "ip": "10.0.0.7",
    "name": "Alice",
    "path": "/a/lib/x.png",
    "tags": ["a", "b"],
    "empty": "",
    "null": None,
    "nothing": [],
    "containers": [{"name": "task", "exitCode": 0}, {"name": "log", "exitCode": 137}],
}
MATCH: list[dict[str, Any]] = [
    {},
    {"state": ["initializing"]},
    {"state": ["running", {"prefix": "init"}]},
    {"state": [{"anything-but": ["running", "stopped"]}]},
    {"n": [{"anything-but": [1, 2]}]},
    {"n": [5]},
    {"n": [{"numeric": [">", 0, "<=", 5]}]},
    {"n": [{"numeric": ["=", 5]}]},
    {"flag": [True]},
    {"zero": [0]},
    {"name": [{"equals-ignore-case": "alice"}]},
    {"state": [{"prefix": {"equals-ignore-case": "INIT"}}]},
    {"path": [{"suffix": ".png"}]},
    {"path": [{"suffix": {"equals-ignore-case": ".PNG"}}]},
    {"path": [{"wildcard": "/a/*.png"}]},
    {"ip": [{"cidr": "10.0.0.0/24"}]},
    {"empty": [""]},
    {"null": [None]},
    {"missing": [{"exists": False}]},
    {"name": [{"exists": True}]},
    {"tags": ["b"]},
    {"tags": [{"anything-but": ["a"]}]},
    {"$or": [{"n": [{"numeric": [">", 10]}]}, {"name": ["Alice"]}]},
    {"n": [5], "$or": [{"name": ["Bob"]}, {"tags": ["a"]}]},
    {"containers": {"exitCode": [137]}},
    {"containers": {"name": ["log"], "exitCode": [137]}},
    {"nothing": {"x": [{"exists": False}]}},
]
OTHER: list[dict[str, Any]] = [
    {"state": ["running"]},
    {"state": ["Initializing"]},
    {"state": [{"anything-but": "initializing"}]},
    {"state": [{"anything-but": {"prefix": "init"}}]},
    {"state": [{"anything-but": {"equals-ignore-case": ["INITIALIZING"]}}]},
    {"path": [{"anything-but": {"wildcard": "*/lib/*"}}]},
    {"path": [{"anything-but": {"suffix": [".jpg", ".png"]}}]},
    {"n": [{"anything-but": 5}]},
    {"n": ["5"]},
    {"n": [True]},
    {"n": [{"numeric": ["<", 5]}]},
    {"flag": [1]},
    {"zero": [False]},
    {"name": [None]},
    {"null": [""]},
    {"missing": [{"exists": True}]},
    {"missing": [{"anything-but": "x"}]},
    {"name": [{"exists": False}]},
    {"name": ["Alice"], "n": [6]},
    {"path": [{"wildcard": "/a/*.jp"}]},
    {"ip": [{"cidr": "10.0.1.0/24"}]},
    {"tags": ["c"]},
    {"tags": [{"anything-but": ["a", "b"]}]},
    {"$or": [{"n": [1]}, {"name": ["Bob"]}]},
    {"n": [6], "$or": [{"name": ["Alice"]}, {"tags": ["a"]}]},
    {"containers": {"exitCode": [1]}},
    {"containers": {"name": ["task"], "exitCode": [137]}},  # of two containers
]


def matches(aws: Clients, pattern: dict[str, Any]) -> bool:
    event = {
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2015-11-11T21:29:54Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
        "detail": DETAIL,
    }
    given: bool = aws("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]
    return given


@pytest.mark.parametrize("pattern", MATCH, ids=json.dumps)
def test_matches(aws: Clients, pattern: dict[str, Any]) -> None:
    assert matches(aws, {"detail": pattern})


@pytest.mark.parametrize("pattern", OTHER, ids=json.dumps)
def test_does_not_match(aws: Clients, pattern: dict[str, Any]) -> None:
    assert not matches(aws, {"detail": pattern})


def test_fields_of_the_envelope(aws: Clients) -> None:
    assert matches(aws, {"source": ["aws.ec2"], "resources": [{"wildcard": "*:instance/i-*"}]})
    assert not matches(aws, {"source": ["aws.ecs"], "detail": {"n": [5]}})

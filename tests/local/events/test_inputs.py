from __future__ import annotations

import json
from typing import Any

import pytest

from cabstand.local.events.inputs import for_target

RULE = "arn:aws:events:us-east-1:123456789012:rule/dead-tasks"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "1",
    "source": "aws.ec2",
    "time": "2015-11-11T21:29:54Z",
    "ingestion-time": "2015-11-11T21:29:55Z",
    "detail": {"instance-id": 'i-1 "x"', "state": "RUNNING", "n": 5, "list": [{"a": 1}], "none": None},
}
PATHS = {
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "n": "$.detail.n",
    "list": "$.detail.list",
    "first": "$.detail.list[0].a",
    "none": "$.detail.none",
    "beyond": "$.detail.list[3].a",
}


def test_a_target_gets_the_event_unless_it_wants_something_else() -> None:
    whole = json.loads(for_target(EVENT, {}, RULE))
    assert whole == {key: value for key, value in EVENT.items() if key != "ingestion-time"}
    assert for_target(EVENT, {"Input": '{"a": 1}'}, RULE) == '{"a": 1}'
    assert json.loads(for_target(EVENT, {"InputPath": "$.detail"}, RULE)) == EVENT["detail"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"instance": <instance>, "state": <state>}', {"instance": 'i-1 "x"', "state": "RUNNING"}),
        ('{"n": <n>, "list": <list>, "first": <first>}', {"n": 5, "list": [{"a": 1}], "first": 1}),
        ('"<instance> is in state <state>"', 'i-1 "x" is in state RUNNING'),
        ('{"text": "say \\"<state>\\" <n> times, <list>"}', {"text": 'say "RUNNING" 5 times, [{"a": 1}]'}),
        ('{"none": <none>, "beyond": <beyond>}', {"none": None, "beyond": None}),
        ('"<unknown>"', "<unknown>"),
        ('{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>"}', {"rule": "dead-tasks", "arn": RULE}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2015-11-11T21:29:55Z"}),
    ],
)
def test_a_template_is_filled_in(template: str, expected: Any) -> None:
    given = {"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": template}}
    assert json.loads(for_target(EVENT, given, RULE)) == expected


def test_a_template_may_hold_the_event() -> None:
    given = {"InputTransformer": {"InputTemplate": '{"original": <aws.events.event.json>}'}}
    assert json.loads(for_target(EVENT, given, RULE))["original"]["detail"]["n"] == 5

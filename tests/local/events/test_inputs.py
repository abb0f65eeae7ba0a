"""What targets get. Expected values are those of AWS's documentation and of deliveries recorded on AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cabstand.local.events.inputs import for_target, unknown
from cabstand.local.events.targets import TargetError

RULE = "arn:aws:events:us-east-1:123456789012:rule/dead-tasks"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "1",
    "detail-type": "State",
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


def filled(template: str, paths: dict[str, str] = PATHS) -> str:
    return for_target(EVENT, {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}, RULE)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"instance": <instance>, "state": <state>}', {"instance": 'i-1 "x"', "state": "RUNNING"}),
        ('{"n": <n>, "list": <list>, "first": <first>}', {"n": 5, "list": [{"a": 1}], "first": 1}),
        ('{"text": "say \\"<state>\\" <n> times"}', {"text": 'say "RUNNING" 5 times'}),
        ('{"none": <none>, "beyond": <beyond>, "within": "(<beyond>)"}', {"none": None, "beyond": "", "within": "()"}),
        ('{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>"}', {"rule": "dead-tasks", "arn": RULE}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2015-11-11T21:29:55Z"}),
        ('{"command": ["retrain", "--key", <state>]}', {"command": ["retrain", "--key", "RUNNING"]}),
    ],
)
def test_a_template_of_an_object_is_filled_in_and_comes_without_spaces(template: str, expected: Any) -> None:
    assert filled(template) == json.dumps(expected, separators=(",", ":"))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"<state> and <n>"', '"RUNNING and 5"'),
        ('"<beyond> is absent"', '" is absent"'),
        ('"<instance>"', '"i-1 "x""'),  # AWS escapes nothing
        ('"all of <list>"', '"all of [{a:1}]"'),
        ('"line <n>"\n"\\"<state>\\""', '"line 5"\n"\\"RUNNING\\""'),
        ("<list>", '[{"a": 1}]'),
    ],
)
def test_a_template_of_a_text_keeps_its_quotes(template: str, expected: str) -> None:
    assert filled(template) == expected


@pytest.mark.parametrize("template", ['{"text": "<list>"}', '{"text": "<instance>"}', '{"text": "<all>"}', '{"n": <n>'])
def test_what_is_no_json_any_more_is_not_delivered(template: str) -> None:
    with pytest.raises(TargetError) as refused:
        filled(template, PATHS | {"all": "$.detail"})
    assert refused.value.code == "INVALID_JSON"


def test_a_template_may_hold_the_event() -> None:
    found = json.loads(filled('{"about": <aws.events.event>, "whole": <aws.events.event.json>}'))
    assert found["whole"] == json.loads(for_target(EVENT, {}, RULE))
    assert found["about"] == {key: EVENT[key] for key in ("version", "id", "source", "time")} | {"detailType": "State"}


def test_a_placeholder_without_a_path_is_named() -> None:
    assert unknown({"InputTemplate": '"<state> <aws.events.rule-arn>"'}) == ["state"]
    assert unknown({"InputTemplate": '"<state>"', "InputPathsMap": PATHS}) == []

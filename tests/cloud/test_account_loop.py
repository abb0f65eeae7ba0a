"""The loop of the applied account: the monitor's event starts a retraining, and people read of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from cabstand.io import events
from cabstand.jobs.retraining.asking import detail_of
from cabstand.local.events import Deliveries
from cabstand.monitoring.decisions import Decision
from cloud_account import Account, client, session_keys
from emulator import messages, queue

pytestmark = pytest.mark.cloud

A, NAME = "123456789012", "cabstand-dev"
CLUSTER = f"arn:aws:ecs:us-east-1:{A}:cluster/{NAME}"
DEAD_LETTERS = f"arn:aws:sqs:us-east-1:{A}:{NAME}-dead-letters"
DAY = datetime(2026, 1, 31, tzinfo=UTC)
# A value with what could end a string, add an argument, or be taken for a placeholder.
DECISION = Decision(
    "20260101-20260131-3 --fetch <rule>", "trip-duration", "3", DAY, DAY, DAY,
    action="retrain", reason="4 of 7 columns drifted (trip_distance), limit 50%; bias exceeded", n=9000, breaches=2,
    data=True, worse=True,
)  # fmt: skip
FINISHED = {"key": DECISION.key, "problem": DECISION.problem, "reason": "gain of 0.1 %, too small"}


@pytest.fixture(scope="module")
def inbox(account: Account) -> str:
    """A queue that gets what people are sent."""
    arn = queue(account.client, "people")
    account.client("sns").subscribe(TopicArn=f"arn:aws:sns:us-east-1:{A}:{NAME}-alarms", Protocol="sqs", Endpoint=arn)
    return arn


@pytest.fixture(autouse=True)
def ended(account: Account) -> Iterator[None]:
    yield
    for arn in started(account):
        account.client("ecs").stop_task(cluster=NAME, task=arn)


def started(account: Account) -> dict[str, dict[str, Any]]:
    """Return the tasks that retrain and have not been stopped."""
    arns = account.client("ecs").list_tasks(cluster=NAME, family=f"{NAME}-retrain", desiredStatus="RUNNING")["taskArns"]
    found = account.client("ecs").describe_tasks(cluster=NAME, tasks=arns, include=["TAGS"])["tasks"] if arns else []
    return {one["taskArn"]: one for one in found}


def send(account: Account, role: str, detail_type: str, detail: Mapping[str, Any], bus: str = NAME) -> None:
    """Put an event on the bus with the permissions of a task, and deliver it."""
    arn = f"arn:aws:iam::{A}:role/{NAME}-task-{role}"
    answer = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="work")
    entry = {"EventBusName": bus, "Source": events.SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}
    put = client(account.url, "events", session_keys(answer["Credentials"])).put_events(Entries=[entry])
    assert put["FailedEntryCount"] == 0
    Deliveries(account.client).tick()


def read(account: Account, inbox: str) -> list[str]:
    return [json.loads(one["Body"])["Message"] for one in messages(account.client, inbox)]


def test_each_delivery_starts_the_retraining_of_its_decision(
    account: Account, inbox: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        send(account, "monitoring", events.RETRAINING_WANTED, detail_of(DECISION))
    tasks = list(started(account).values())
    assert len(tasks) == 2
    for task in tasks:
        [override] = task["overrides"]["containerOverrides"]
        words = ["--newest", "3", "--problem", DECISION.problem, "--key", DECISION.key]
        assert [one["name"] for one in override.pop("environment")] == ["CABSTAND_EVENT_ID"]
        assert override == {"name": "task", "command": ["retrain", *words]}
        assert task["startedBy"] == f"events-rule/{NAME}-retraining"
        assert {one["key"]: one["value"] for one in task["tags"]}["Deployment"] == NAME
    assert (
        caplog.messages.count(f"arn:aws:events:us-east-1:{A}:rule/{NAME}/{NAME}-retraining: delivered to {CLUSTER}")
        == 2
    )
    text = f'"{NAME}: {DECISION.problem} is being retrained: {DECISION.reason}. Decision {DECISION.key}."'
    assert read(account, inbox) == [text, text]
    assert messages(account.client, DEAD_LETTERS) == []


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (events.RETRAINING_DONE, "is in service"),
        (events.RETRAINING_REFUSED, "is refused, and the model in service stays"),
    ],
)
def test_people_read_what_came_of_a_retraining(account: Account, inbox: str, event: str, words: str) -> None:
    send(account, "retraining", event, FINISHED)
    reason, key = FINISHED["reason"], DECISION.key
    assert read(account, inbox) == [f'"{NAME}: the retrained trip-duration {words}: {reason}. Decision {key}."']
    assert not started(account)


def test_people_are_asked_to_look(account: Account, inbox: str) -> None:
    send(account, "monitoring", events.INSPECTION_WANTED, detail_of(DECISION))
    [text] = read(account, inbox)
    assert text.startswith(f'"{NAME}: somebody should look at trip-duration: 4 of 7 columns drifted')
    assert not started(account)


@pytest.mark.parametrize("missing", ["problem", "key"])
def test_a_request_that_lacks_something_starts_nothing(account: Account, inbox: str, missing: str) -> None:
    detail = {name: value for name, value in detail_of(DECISION).items() if name != missing}
    send(account, "monitoring", events.RETRAINING_WANTED, detail)
    assert not started(account)
    read(account, inbox)


def test_a_task_that_cannot_be_started_is_a_dead_letter(account: Account, inbox: str) -> None:
    iam, role = account.client("iam"), f"{NAME}-retraining-rule"
    policy = iam.get_role_policy(RoleName=role, PolicyName="start-retraining")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="start-retraining")
    try:
        send(account, "monitoring", events.RETRAINING_WANTED, detail_of(DECISION))
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="start-retraining", PolicyDocument=json.dumps(policy))
    [letter] = messages(account.client, DEAD_LETTERS)
    assert json.loads(letter["Body"])["detail"]["key"] == DECISION.key
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert not started(account)
    read(account, inbox)

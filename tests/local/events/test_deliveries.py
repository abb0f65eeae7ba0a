"""Events on the emulator reach the targets of matching rules, or the dead letters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cabstand.local.events import Deliveries, run
from cabstand.local.events.targets import TargetError
from emulator import Clients, cluster, ecs_parameters, messages, queue, role, tasks, texts

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
SECOND = timedelta(seconds=1)


class Bus:
    """A rule for events from "shop", and what delivers them at a time that tests set."""

    def __init__(self, aws: Clients) -> None:
        self.aws = aws
        self.events = aws("events")
        self.arn = self.events.put_rule(Name="shop", EventPattern='{"source": ["shop"]}')["RuleArn"]
        self.queue, self.dead = queue(aws, "orders"), queue(aws, "dead")
        self.invoked: list[tuple[str, str]] = []
        self.restart()

    def restart(self) -> None:
        self.now = datetime.now(UTC)
        self.deliveries = Deliveries(self.aws, lambda arn, text: self.invoked.append((arn, text)), lambda: self.now)

    def targets(self, *targets: dict[str, Any]) -> None:
        self.events.put_targets(Rule="shop", Targets=[{"Id": str(n), **one} for n, one in enumerate(targets)])

    def send(self, detail: dict[str, Any] | None = None, source: str = "shop") -> None:
        entry = {"Source": source, "DetailType": "sale", "Detail": json.dumps(detail or {})}
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def bodies(self, arn: str | None = None) -> list[str]:
        return [one["Body"] for one in messages(self.aws, arn or self.queue)]

    def clear(self) -> None:
        self.now += timedelta(days=2)
        self.deliveries.tick()
        for rule in self.events.list_rules()["Rules"]:
            found = self.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            self.events.remove_targets(Rule=rule["Name"], Ids=[one["Id"] for one in found])
            self.events.delete_rule(Name=rule["Name"])
        for arn in (self.queue, self.dead):
            self.bodies(arn)


@pytest.fixture
def bus(aws: Clients) -> Iterator[Bus]:
    made = Bus(aws)
    yield made
    made.clear()


def test_a_queue_gets_the_event_once(bus: Bus) -> None:
    bus.targets({"Arn": bus.queue})
    bus.send({"price": 5})
    bus.send({"price": 6}, source="bank")
    bus.deliveries.tick()
    bus.restart()
    bus.deliveries.tick()
    [body] = bus.bodies()
    event = json.loads(body)
    assert event["detail"] == {"price": 5}
    assert event.keys() == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"),
    }
    datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_a_disabled_rule_is_silent(bus: Bus) -> None:
    bus.targets({"Arn": bus.queue})
    bus.events.disable_rule(Name="shop")
    bus.send()
    bus.deliveries.tick()
    bus.events.enable_rule(Name="shop")
    bus.deliveries.tick()
    assert bus.bodies() == []


def test_the_other_targets_get_it_where_one_fails(bus: Bus) -> None:
    gone = {"Arn": bus.queue.replace(":orders", ":gone"), "DeadLetterConfig": {"Arn": bus.dead}}
    bus.targets(gone, {"Arn": FUNCTION, "Input": '{"constant": true}'}, {"Arn": bus.queue, "InputPath": "$.detail"})
    bus.send({"price": 5})
    bus.deliveries.tick()
    assert [json.loads(body) for body in bus.bodies()] == [{"price": 5}]
    assert bus.invoked == [(FUNCTION, '{"constant": true}')]
    [letter] = messages(bus.aws, bus.dead)
    about = texts(letter)
    assert about.pop("ERROR_MESSAGE")
    # What will not get better is not tried again.
    expected = {"ERROR_CODE": "NO_RESOURCE", "RETRY_ATTEMPTS": "0", "RULE_ARN": bus.arn, "TARGET_ARN": gone["Arn"]}
    assert about == expected
    assert json.loads(letter["Body"])["detail"] == {"price": 5}


def test_a_fifo_queue_gets_its_group(bus: Bus) -> None:
    fifo = queue(bus.aws, "orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    bus.targets({"Arn": fifo, "SqsParameters": {"MessageGroupId": "cabs"}})
    bus.send()
    bus.deliveries.tick()
    [message] = messages(bus.aws, fifo)
    assert message["Attributes"]["MessageGroupId"] == "cabs"


def test_topics_and_logs(bus: Bus) -> None:
    topic = bus.aws("sns").create_topic(Name="sales")["TopicArn"]
    bus.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.queue)
    bus.aws("logs").create_log_group(logGroupName="/aws/events/sales")
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/sales:*"
    bus.targets({"Arn": topic, "Input": "sold"}, {"Arn": group})
    bus.send({"price": 5})
    bus.deliveries.tick()
    assert [json.loads(body)["Message"] for body in bus.bodies()] == ["sold"]
    [line] = bus.aws("logs").filter_log_events(logGroupName="/aws/events/sales")["events"]
    assert json.loads(line["message"])["detail"] == {"price": 5}


def test_a_cluster_starts_a_task_with_what_the_event_says(bus: Bus) -> None:
    made = cluster(bus.aws, "sales")
    overrides = {"containerOverrides": [{"name": "task", "environment": [{"name": "PRICE", "value": "<price>"}]}]}
    transformer = {"InputPathsMap": {"price": "$.detail.price"}, "InputTemplate": json.dumps(overrides)}
    target = {"Arn": made["cluster"], "RoleArn": role(bus.aws, "shop"), "EcsParameters": ecs_parameters(made)}
    bus.targets(target | {"InputTransformer": transformer})
    bus.send({"price": 5})
    bus.deliveries.tick()
    [task] = tasks(bus.aws, made)
    assert task["overrides"]["containerOverrides"][0]["environment"] == [{"name": "PRICE", "value": "5"}]
    assert task["startedBy"] == "events-rule/shop"


def test_retries_end_in_a_dead_letter(bus: Bus) -> None:
    calls = []

    def busy(arn: str, text: str) -> None:
        calls.append((arn, text))
        raise TargetError("ThrottlingException", "busy")

    bus.deliveries = Deliveries(bus.aws, busy, lambda: bus.now)
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    bus.targets({"Arn": FUNCTION, "RetryPolicy": policy, "DeadLetterConfig": {"Arn": bus.dead}})
    bus.send({"price": 5})
    counts = []
    for _ in range(6):
        bus.deliveries.tick()
        counts.append(len(calls))
        bus.now += SECOND
    assert counts == [1, 2, 2, 3, 3, 3]
    [letter] = messages(bus.aws, bus.dead)
    about = texts(letter)
    assert (about["ERROR_CODE"], about["ERROR_MESSAGE"]) == ("THROTTLING", "busy")
    assert (about["EXHAUSTED_RETRY_CONDITION"], about["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "2")


def test_nothing_is_lost_while_nobody_delivers(bus: Bus) -> None:
    bus.targets({"Arn": bus.queue})
    for n in range(25):
        bus.send({"n": n})
    bus.restart()
    bus.deliveries.tick()
    bus.deliveries.tick()  # the emulator hands out 20 at once
    found = [json.loads(body)["detail"]["n"] for body in bus.bodies()]
    assert sorted(found) == list(range(25))


def test_what_waits_for_another_attempt_is_in_nobodys_way(bus: Bus) -> None:
    calls = []

    def busy(arn: str, text: str) -> None:
        calls.append((arn, text))
        raise TargetError("ThrottlingException", "busy")

    def restart() -> None:
        bus.deliveries = Deliveries(bus.aws, busy, lambda: bus.now)

    bus.targets({"Arn": FUNCTION})
    restart()
    for _ in range(30):
        bus.send()
    for _ in range(2):
        bus.deliveries.tick()
    assert len(calls) == 30
    restart()  # which does not forget them
    bus.deliveries.tick()
    assert len(calls) == 30
    bus.targets({"Arn": FUNCTION}, {"Arn": bus.queue})
    bus.send({"price": 5})
    bus.deliveries.tick()
    assert [json.loads(body)["detail"] for body in bus.bodies()] == [{"price": 5}]


def test_an_event_that_is_too_old_is_a_dead_letter(bus: Bus) -> None:
    bus.targets(
        {"Arn": bus.queue, "RetryPolicy": {"MaximumEventAgeInSeconds": 60}, "DeadLetterConfig": {"Arn": bus.dead}}
    )
    bus.send()
    bus.now += timedelta(seconds=70)
    bus.deliveries.tick()
    [letter] = messages(bus.aws, bus.dead)
    assert texts(letter)["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
    assert bus.bodies() == []


def test_run_goes_on_until_it_is_stopped(bus: Bus, tmp_path: Path) -> None:
    bus.targets({"Arn": bus.queue})
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(bus.aws, tmp_path, stop))
    thread.start()
    bus.send()
    found: list[str] = []
    deadline = datetime.now(UTC) + 60 * SECOND
    while not found and datetime.now(UTC) < deadline:
        found = bus.bodies()
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert len(found) == 1

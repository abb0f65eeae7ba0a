"""Events reach the bus that the settings name, each with its key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from cabstand.errors import TaskError
from cabstand.io import aws, events, ledger
from cabstand.jobs.retraining import OUTCOME, asking, rules
from cabstand.local.emulator import access
from cabstand.monitoring.policy import Decision, decide
from cabstand.settings import load
from emulator import Clients, deliver, emulator, messages, queue
from monitor_windows import BAD, about, window

DETAIL = {"key": "k", "problem": "trip-duration", "reason": "worse"}


@pytest.fixture(scope="module")
def account() -> Iterator[Clients]:
    with emulator() as clients:
        yield clients


@pytest.fixture
def bus(account: Clients, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The queue that gets what is sent to the bus `monitor`."""
    url = account("events").meta.endpoint_url
    for name, value in (access.environment(url) | access.ROOT_KEYS).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of an earlier test
    aws.client.cache_clear()
    arn = queue(account, "told")
    names = [one["Name"] for one in account("events").list_event_buses()["EventBuses"]]
    if "monitor" not in names:
        account("events").create_event_bus(Name="monitor")
        pattern = json.dumps({"source": [events.SOURCE], "detail-type": [events.RETRAINING_WANTED]})
        account("events").put_rule(Name="retrain", EventBusName="monitor", EventPattern=pattern)
        account("events").put_targets(Rule="retrain", EventBusName="monitor", Targets=[{"Id": "q", "Arn": arn}])
    yield arn
    aws.client.cache_clear()


def told(account: Clients, arn: str) -> list[dict[str, Any]]:
    deliver(account)
    return [json.loads(one["Body"]) for one in messages(account, arn)]


def retraining() -> Decision:
    past: list[Decision] = []
    for day in range(2):
        one = window(day, BAD, estimated=about(float("nan"), 0))
        past.append(decide(one, past, rules.of(load(monitor_breaches=2)), one.end))
    return past[-1]


def test_a_request_for_retraining_reaches_the_rule(account: Clients, bus: str) -> None:
    decision, settings = retraining(), load(monitor_event_bus="monitor")
    for _ in range(2):  # a monitor that was killed sends it again, with the same key
        sent = asking.act(settings, decision, new=False)
        assert sent["event_id"]
        assert sent["next_step"] == ""
    found = told(account, bus)
    assert [one["detail"]["key"] for one in found] == [decision.key] * 2
    assert (found[0]["source"], found[0]["detail-type"]) == ("cabstand.monitor", "Retraining wanted")
    assert found[0]["detail"]["reason"] == decision.reason
    assert found[0]["detail"]["numbers"]["bias"] == pytest.approx(-1.4)


def test_a_request_that_was_never_sent_is_sent_with_the_next_decision(account: Clients, bus: str) -> None:
    settings = load(monitor_event_bus="monitor", monitor_breaches=2)
    lake, decisions = settings.lake_uri, []
    for day in range(12):
        one = window(day, BAD)
        decisions.append(ledger.decide(lake, one, rules.of(settings), one.end)[0])
    killed, later, after_cooldown = decisions[1], decisions[2], decisions[11]
    assert [killed.action, later.action, decisions[8].action] == ["retrain", "watch", "retrain"]
    asking.act(settings, later, new=False)
    assert killed.key in [one["detail"]["key"] for one in told(account, bus)]
    asking.act(settings, after_cooldown, new=False)
    assert [one["detail"]["key"] for one in told(account, bus)] == [decisions[8].key]
    ledger.add_outcome(lake, killed.problem, decisions[8].key, OUTCOME, {"decision": "refused"})
    asking.act(settings, after_cooldown, new=False)
    assert told(account, bus) == []


def test_other_events_do_not_start_a_retraining(account: Clients, bus: str) -> None:
    settings = load(monitor_event_bus="monitor")
    for kind in (events.INSPECTION_WANTED, events.RETRAINING_REFUSED):
        assert events.emit(settings, DETAIL, kind).event_id
    assert told(account, bus) == []


def test_without_a_bus_nothing_is_sent() -> None:
    assert events.emit(load(), DETAIL) == events.Sent("")


def test_a_bus_that_does_not_exist_is_one_line(bus: str) -> None:
    del bus
    with pytest.raises(TaskError) as caught:
        events.emit(load(monitor_event_bus="nowhere"), DETAIL)
    assert "\n" not in str(caught.value)


def test_an_event_that_is_not_taken_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}] * 2 + [{"EventId": "e"}]
    monkeypatch.setattr(aws, "call", lambda *_, **__: {"Entries": [answers.pop(0)]})
    monkeypatch.setattr(events._put.retry, "sleep", lambda _: None)  # type: ignore[attr-defined]
    assert events.emit(load(monitor_event_bus="monitor"), DETAIL).event_id == "e"
    answers[:] = [{"ErrorCode": "InternalFailure"}] * 9
    with pytest.raises(TaskError, match="not taken: InternalFailure"):
        events.emit(load(monitor_event_bus="monitor"), DETAIL)

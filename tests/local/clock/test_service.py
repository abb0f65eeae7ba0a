"""The real clock on the emulator, with an injected time: at least once, retries, dead letters, restarts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.local.clock import Clock, fire, run
from cabstand.local.events import Deliveries
from emulator import Clients, cluster, ecs_parameters, messages, queue, role, tasks, texts

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Account:
    """An account with a schedule at a time, and a clock on it that tests move by hand."""

    def __init__(self, aws: Clients, folder: Path) -> None:
        self.aws = aws
        self.folder = folder
        self.now = datetime.now(UTC)
        self.noon = datetime.combine(self.now.date() + timedelta(days=2), datetime.min.time(), UTC) + 12 * HOUR
        self.role = role(aws, "scheduler")
        self.queue = queue(aws, "work")
        self.dead = queue(aws, "dead")
        self.invoked: list[tuple[str, str]] = []
        self.restart()

    def restart(self) -> None:
        self.clock = Clock(self.aws, self.folder, lambda arn, text: self.invoked.append((arn, text)), lambda: self.now)

    def tick(self, moment: datetime) -> None:
        self.now = moment
        self.clock.tick()

    def schedule(self, arn: str, expression: str = "cron(0 12 * * ? *)", name: str = "noon", **others: Any) -> None:
        target = {"Arn": arn, "RoleArn": self.role, "DeadLetterConfig": {"Arn": self.dead}}
        options = {"ActionAfterCompletion": others.pop("ActionAfterCompletion", "NONE")}
        self.aws("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target | others,
            **options,
        )
        self.now = datetime.now(UTC)  # not before the schedule was made

    def clear(self) -> None:
        for one in self.aws("scheduler").list_schedules()["Schedules"]:
            self.aws("scheduler").delete_schedule(Name=one["Name"])
        for rule in self.aws("events").list_rules()["Rules"]:
            ids = [one["Id"] for one in self.aws("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]]
            self.aws("events").remove_targets(Rule=rule["Name"], Ids=ids)
            self.aws("events").delete_rule(Name=rule["Name"])
        for arn in (self.queue, self.dead):
            url = self.aws("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
            self.aws("sqs").delete_queue(QueueUrl=url)
        self.aws("iam").delete_role_policy(RoleName="scheduler", PolicyName="all")
        self.aws("iam").delete_role(RoleName="scheduler")


@pytest.fixture
def account(aws: Clients, tmp_path: Path) -> Iterator[Account]:
    made = Account(aws, tmp_path)
    yield made
    made.clear()


def test_a_schedule_fires_at_its_time_and_once(account: Account) -> None:
    account.schedule(
        account.queue, Input='{"at": "<aws.scheduler.scheduled-time>", "try": <aws.scheduler.attempt-number>}'
    )
    account.tick(account.noon - SECOND)
    first = messages(account.aws, account.queue)  # the noons between the making and now
    account.tick(account.noon)
    account.tick(account.noon + SECOND)
    account.restart()
    account.tick(account.noon + MINUTE)
    found = [json.loads(one["Body"]) for one in messages(account.aws, account.queue)]
    assert found == [{"at": f"{account.noon:%Y-%m-%dT%H:%M:%SZ}", "try": 1}]
    assert len(first) in {1, 2}


def test_input_names_the_schedule_and_each_attempt(account: Account) -> None:
    account.schedule(
        account.queue, Input="<aws.scheduler.schedule-arn> <aws.scheduler.execution-id>", expression="rate(1 hour)"
    )
    account.tick(account.now + SECOND)
    account.tick(account.now + HOUR)
    bodies = {one["Body"] for one in messages(account.aws, account.queue)}
    assert len(bodies) == 2
    assert all(body.startswith("arn:aws:scheduler:us-east-1:123456789012:schedule/default/noon ") for body in bodies)


def test_without_input_a_target_gets_the_event_of_scheduler(account: Account) -> None:
    account.schedule("arn:aws:lambda:us-east-1:123456789012:function:work", "rate(1 hour)")
    account.tick(account.now + SECOND)
    [(arn, text)] = account.invoked
    assert arn.endswith(":function:work")
    assert json.loads(text)["detail-type"] == "Scheduled Event"


def test_a_universal_target_is_called_as_boto3_spells_it(account: Account) -> None:
    rds = account.aws("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="db", Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20
    )
    stop = "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance"
    account.schedule(stop, "rate(1 hours)", Input='{"DbInstanceIdentifier": "db"}')
    account.tick(account.now + SECOND)
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "stopped"


def test_a_topic_is_published_to(account: Account) -> None:
    topic = account.aws("sns").create_topic(Name="topic")["TopicArn"]
    account.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=account.queue)
    account.schedule(topic, "rate(1 hour)", Input="text")
    account.tick(account.now + SECOND)
    [message] = messages(account.aws, account.queue)
    assert json.loads(message["Body"])["Message"] == "text"


def test_a_cluster_starts_the_task_with_its_parameters(account: Account) -> None:
    made = cluster(account.aws, "parameters")
    overrides = {"containerOverrides": [{"name": "task", "command": ["cabstand", "compare"]}]}
    account.schedule(made["cluster"], "rate(1 hour)", EcsParameters=ecs_parameters(made), Input=json.dumps(overrides))
    account.tick(account.now + SECOND)
    [task] = tasks(account.aws, made)
    assert task["overrides"]["containerOverrides"][0]["command"] == ["cabstand", "compare"]
    assert task["startedBy"] == "chronos-schedule/noon"
    assert task["capacityProviderName"] == "FARGATE"


def test_a_schedule_fired_twice_starts_one_task(account: Account) -> None:
    made = cluster(account.aws, "twice")
    account.schedule(made["cluster"], "rate(1 hour)", name="twice", EcsParameters=ecs_parameters(made))
    account.tick(account.now + SECOND)
    (account.folder / "clock.json").unlink()  # as after a crash between the call and the record
    account.restart()
    account.tick(account.now + SECOND)
    assert len(tasks(account.aws, made)) == 1
    account.tick(account.now + HOUR)
    assert len(tasks(account.aws, made)) == 2


def test_retries_pause_longer_each_time_and_end_in_a_dead_letter(account: Account) -> None:
    gone = account.queue.replace(":work", ":gone")
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    account.schedule(gone, "cron(0 12 * * ? *)", Input='{"a": 1}', RetryPolicy=policy)
    account.tick(account.noon - SECOND)
    messages(account.aws, account.dead)
    counts = []
    for seconds in range(8):
        account.tick(account.noon + seconds * SECOND)
        counts.append(json.loads((account.folder / "clock.json").read_text())["pending"])
    tried = [one[0]["attempts"] if one else None for one in counts]
    assert tried[:4] == [1, 2, 2, None]  # attempts at 0, 1 and 3 seconds
    [letter] = messages(account.aws, account.dead)
    about = texts(letter)
    assert about.pop("ERROR_MESSAGE")
    assert len(about.pop("EXECUTION_ID")) == 16
    assert about == {
        "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "2",
        "SCHEDULED_TIME": f"{account.noon:%Y-%m-%dT%H:%M:%SZ}",
        "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/noon",
        "TARGET_ARN": gone,
    }
    assert letter["Body"] == '{"a": 1}'


def test_a_target_that_recovers_gets_its_call(account: Account) -> None:
    account.schedule(account.queue.replace(":work", ":late"), "rate(1 hour)", Input="{}")
    account.tick(account.now + SECOND)
    late = queue(account.aws, "late")
    account.restart()
    account.tick(account.now + MINUTE)
    assert len(messages(account.aws, late)) == 1
    assert not messages(account.aws, account.dead)


def test_what_was_missed_is_made_up_unless_it_is_too_old(account: Account) -> None:
    policy = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 3 * 3600}
    account.schedule(account.queue, "cron(0 * * * ? *)", Input="<aws.scheduler.scheduled-time>", RetryPolicy=policy)
    account.tick(account.noon - HOUR)
    for arn in (account.queue, account.dead):
        messages(account.aws, arn)
    account.restart()
    account.tick(account.noon + 4 * HOUR + MINUTE)
    bodies = sorted(one["Body"] for one in messages(account.aws, account.queue))
    assert [body[11:16] for body in bodies] == ["14:00", "15:00", "16:00"]
    letters = [texts(one) for one in messages(account.aws, account.dead)]
    assert sorted(one["SCHEDULED_TIME"][11:16] for one in letters) == ["12:00", "13:00"]
    assert {one["EXHAUSTED_RETRY_CONDITION"] for one in letters} == {"MaximumEventAgeInSeconds"}
    account.restart()
    account.tick(account.noon + 4 * HOUR + 2 * MINUTE)
    assert not messages(account.aws, account.queue)


def test_disabled_then_enabled_makes_nothing_up(account: Account) -> None:
    unlike = '{"source": ["shop"]}'  # a rule may have a pattern besides
    account.aws("events").put_rule(
        Name="rule", ScheduleExpression="rate(1 minute)", EventPattern=unlike, State="DISABLED"
    )
    account.aws("events").put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": account.queue}])
    deliveries = Deliveries(account.aws)
    account.tick(account.noon)
    account.aws("events").enable_rule(Name="rule")
    account.tick(account.noon + HOUR)
    account.tick(account.noon + HOUR + MINUTE)
    deliveries.tick()
    [message] = messages(account.aws, account.queue)
    event = json.loads(message["Body"])
    assert event["source"] == "aws.events"
    assert event["detail-type"] == "Scheduled Event"
    assert event["time"] == f"{account.noon + HOUR + MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/rule"]


def test_a_schedule_at_a_time_is_deleted_after_it_if_it_wants(account: Account) -> None:
    once = f"at({account.noon:%Y-%m-%dT%H:%M:%S})"
    account.schedule(account.queue, once, Input="x", ActionAfterCompletion="DELETE")
    account.schedule(account.queue, once, Input="y", name="stays")
    account.tick(account.noon)
    assert len(messages(account.aws, account.queue)) == 2
    assert [one["Name"] for one in account.aws("scheduler").list_schedules()["Schedules"]] == ["stays"]
    account.tick(account.noon + 48 * HOUR)
    assert not messages(account.aws, account.queue)


def test_fire_now(account: Account) -> None:
    account.schedule(account.queue, Input="now", name="dev-daily")
    account.schedule(account.queue.replace(":work", ":gone"), name="dev-broken")
    fire(account.aws, "daily")
    assert [one["Body"] for one in messages(account.aws, account.queue)] == ["now"]
    with pytest.raises(TaskError, match="NonExistentQueue"):
        fire(account.aws, "dev-broken")
    with pytest.raises(ConfigError, match="names no schedule"):
        fire(account.aws, "weekly")


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("arn:aws:ecs:us-east-1:123456789012:cluster/c", "{}", "lacks 'EcsParameters'"),
        ("arn:aws:scheduler:::aws-sdk:rds:stopEverything", "{}", "there is no such call"),
        ("arn:aws:scheduler:::aws-sdk:rds:stopDBInstance", "[]", "no JSON object"),
        ("arn:aws:scheduler:::aws-sdk:rds:stopDBInstance", '{"Other": 1}', "Missing required parameter"),
        ("arn:aws:scheduler:::aws-sdk:nothing:do", "{}", "Unknown service"),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/s", "{}", "does not call such targets"),
        ("words", "{}", "does not call such targets"),
    ],
)
def test_a_target_that_cannot_be_called_is_an_error_of_one_line(
    account: Account, target: str, text: str, message: str
) -> None:
    account.schedule(target, Input=text, name="wrong")
    with pytest.raises(TaskError, match=message) as error:
        fire(account.aws, "wrong")
    assert "\n" not in str(error.value)


def test_a_function_that_does_not_answer_is_tried_again(account: Account) -> None:
    answers: list[Exception | None] = [OSError("refused"), TaskError("timed out"), None]

    def invoke(_arn: str, _text: str) -> None:
        if answer := answers.pop(0):
            raise answer

    account.schedule("arn:aws:lambda:us-east-1:123456789012:function:work", "rate(1 hour)")
    account.clock = Clock(account.aws, account.folder, invoke, lambda: account.now)
    for seconds in range(5):
        account.tick(account.now + seconds * SECOND)
    assert answers == []


def test_run_goes_on_until_it_is_stopped(account: Account) -> None:
    account.schedule(account.queue, "rate(1 hour)", Input="real")
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(account.aws, account.folder, stop))
    thread.start()
    deadline = datetime.now(UTC) + MINUTE
    found: list[dict[str, Any]] = []
    while not found and datetime.now(UTC) < deadline:
        found = messages(account.aws, account.queue)
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert [one["Body"] for one in found] == ["real"]


def test_a_spoilt_record_is_named(aws: Clients, tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{")
    with pytest.raises(DataError, match="not a record of the clock"):
        Clock(aws, tmp_path)

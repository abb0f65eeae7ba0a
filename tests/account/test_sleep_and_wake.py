"""`cabstand sleep` and `cabstand wake`."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cabstand import cli
from cabstand.errors import TaskError
from cabstand.jobs import sleep, wake
from cabstand.settings import Settings

Aws = Callable[[str], Any]


def states(aws: Aws) -> dict[str, str]:
    found = {}
    for group in aws("ec2").describe_instances()["Reservations"]:
        for instance in group["Instances"]:
            found[instance["InstanceId"]] = instance["State"]["Name"]
    for database in aws("rds").describe_db_instances()["DBInstances"]:
        found[database["DBInstanceIdentifier"]] = database["DBInstanceStatus"]
    for schedule in aws("scheduler").list_schedules(GroupName="cabstand-dev")["Schedules"]:
        found[schedule["Name"].removeprefix("cabstand-dev-")] = schedule["State"]
    for alarm in aws("cloudwatch").describe_alarms()["MetricAlarms"]:
        found[alarm["AlarmName"]] = "LOUD" if alarm["ActionsEnabled"] else "QUIET"
    return found


@pytest.fixture
def alarm(aws: Aws) -> None:
    """The alarms that ring when the server or the monitor is silent, and another one."""
    for name, metric in (("server-silent", "MlflowHealthy"), ("monitor-silent", "MonitorRuns"), ("other", "Other")):
        aws("cloudwatch").put_metric_alarm(
            AlarmName=f"cabstand-dev-{name}",
            Namespace="cabstand/dev",
            MetricName=metric,
            Statistic="Minimum",
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
            Period=60,
            EvaluationPeriods=2,
            TreatMissingData="breaching",
            ActionsEnabled=True,
        )


@pytest.mark.usefixtures("alarm")
def test_wake_reverses_sleep(aws: Aws, environment: dict[str, str]) -> None:
    before = states(aws)
    slept = sleep.run(Settings(), sleep.Params())
    server, other = environment["server"], environment["other"]
    assert slept["instances_stopped"] == [server]
    assert slept["databases_stopped"] == ["server-db"]
    assert sorted(slept["schedules_disabled"]) == ["cabstand-dev-compare", "cabstand-dev-sweep"]
    assert slept["stays_asleep"]
    asleep = states(aws)
    assert asleep == before | {
        server: "stopped", "server-db": "stopped", "compare": "DISABLED", "sweep": "DISABLED", "stay-asleep": "ENABLED",
        "cabstand-dev-server-silent": "QUIET", "cabstand-dev-monitor-silent": "QUIET",
    }  # fmt: skip
    assert asleep[other] == "running"
    # A second sleep changes nothing, and remembers what was enabled.
    again = sleep.run(Settings(), sleep.Params())
    assert not again["instances_stopped"] + again["databases_stopped"] + again["schedules_disabled"]
    assert states(aws) == asleep
    woken = wake.run(Settings(), sleep.Params())
    assert woken["instances_started"] == [server]
    assert states(aws) == before
    again = wake.run(Settings(), sleep.Params())
    assert not again["instances_started"] + again["databases_started"] + again["schedules_enabled"]
    assert states(aws) == before


def test_sleep_keeps_the_live_version_alone(aws: Aws, environment: dict[str, str]) -> None:
    role = aws("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as packed:
        packed.writestr("handler.py", "")
    functions, name = aws("lambda"), "cabstand-dev-api"
    functions.create_function(
        FunctionName=name, Role=role, Runtime="python3.13", Handler="handler.x", Code={"ZipFile": code.getvalue()}
    )
    for number in range(3):
        functions.update_function_configuration(FunctionName=name, Description=str(number))
        functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="2")
    sleep.run(Settings(), sleep.Params())
    left = functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [one["Version"] for one in left] == ["$LATEST", "2"]


def test_the_rest_of_a_schedule_is_kept(aws: Aws, environment: dict[str, str]) -> None:
    def look() -> dict[str, Any]:
        found = aws("scheduler").get_schedule(GroupName="cabstand-dev", Name="cabstand-dev-compare")
        return {
            key: found[key]
            for key in ("ScheduleExpression", "ScheduleExpressionTimezone", "Target", "FlexibleTimeWindow")
        }

    before = look()
    sleep.run(Settings(), sleep.Params())
    assert look() == before


def test_a_dry_run_touches_nothing(aws: Aws, environment: dict[str, str]) -> None:
    before = states(aws)
    assert sleep.run(Settings(), sleep.Params(dry_run=True))["databases_stopped"] == ["server-db"]
    assert states(aws) == before
    sleep.run(Settings(), sleep.Params())
    asleep = states(aws)
    assert wake.run(Settings(), sleep.Params(dry_run=True))["databases_started"] == ["server-db"]
    assert states(aws) == asleep


def test_a_database_that_rds_started_is_stopped_again(aws: Aws, environment: dict[str, str]) -> None:
    sleep.run(Settings(), sleep.Params())
    aws("rds").start_db_instance(DBInstanceIdentifier="server-db")  # as RDS does after seven days
    assert sleep.run(Settings(), sleep.Params())["databases_stopped"] == ["server-db"]
    assert states(aws)["compare"] == "DISABLED"
    wake.run(Settings(), sleep.Params())
    assert states(aws)["compare"] == "ENABLED"


def test_without_the_stay_asleep_schedule_the_user_is_warned(
    aws: Aws, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    aws("scheduler").delete_schedule(GroupName="cabstand-dev", Name="cabstand-dev-stay-asleep")
    assert cli.run(["sleep"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out.splitlines()[-1])["stays_asleep"] is False
    assert "seven days" in printed.err


def test_an_empty_account_can_sleep(aws: Aws) -> None:
    assert sleep.run(Settings(), sleep.Params())["stays_asleep"]
    assert wake.run(Settings(), sleep.Params())["schedules_enabled"] == []


def test_a_parameter_of_another_version_is_refused(aws: Aws, environment: dict[str, str]) -> None:
    aws("ssm").put_parameter(Name="/cabstand/dev/sleep", Value='{"schema_version": 9}', Type="String")
    with pytest.raises(TaskError, match="another version"):
        wake.run(Settings(), sleep.Params())


def test_a_missing_region_is_reported(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert cli.run(["sleep"]) == 1
    assert "set AWS credentials and AWS_DEFAULT_REGION" in capsys.readouterr().err.splitlines()[-1]

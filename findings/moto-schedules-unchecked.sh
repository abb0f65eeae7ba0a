#!/usr/bin/env bash
# moto 5.2.5: EventBridge Scheduler stores schedules that AWS refuses: rate(0 days), cron(nonsense), time zone Mars/Olympus.
#
# Seen: create_schedule answers 200 to each of them, and get_schedule returns them as given, with the state ENABLED. AWS asks
# for a positive number, six cron fields and a time zone of the IANA database, and answers ValidationException otherwise.
#
# Why it matters: a typing error in a schedule passes every test on moto and fails at the first real apply. cabstand's
# Terraform checks expressions and zones beforehand, and its emulator, which is moto corrected, refuses all three.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check "moto[scheduler]==5.2.5" boto3==1.44.5

export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
"$work/venv/bin/python" - <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

TARGET = {"Arn": "arn:aws:sqs:us-east-1:123456789012:queue", "RoleArn": "arn:aws:iam::123456789012:role/scheduler"}
SCHEDULES = [("rate(0 days)", "UTC"), ("cron(nonsense)", "UTC"), ("rate(1 day)", "Mars/Olympus")]


def create(scheduler, name, expression, zone):
    """Create a schedule; return the answer's status and what is stored, or an error code and None."""
    try:
        answer = scheduler.create_schedule(
            Name=name,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=zone,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=TARGET,
        )
    except ClientError as error:
        return error.response["Error"]["Code"], None
    stored = scheduler.get_schedule(Name=name)
    fields = [stored["ScheduleExpression"], stored["ScheduleExpressionTimezone"], stored["State"]]
    return answer["ResponseMetadata"]["HTTPStatusCode"], fields


unchanged = True
with mock_aws():
    client = boto3.client("scheduler")
    for number, (expression, zone) in enumerate(SCHEDULES):
        status, stored = create(client, f"schedule-{number}", expression, zone)
        print(f"create_schedule {expression} in {zone}: {status}, stored: {stored}")
        unchanged &= stored == [expression, zone, "ENABLED"]
sys.exit(0 if unchanged else "The behaviour changed: moto refuses or alters at least one of the schedules.")
PYTHON
echo "Still so: moto does not check schedules."

#!/usr/bin/env bash
# moto 5.2.5: an EventBridge pattern does not look into the objects of an array, such as `containers` of an ECS task's event.
#
# Seen: a pattern on `detail.containers.exitCode` matches an event in which `containers` is an object, and not the same event
# with an array of one such object, which is what ECS sends. AWS matches both: its documentation of event patterns says that a
# value of an array matches if one of its elements does.
#
# Why it matters: a rule for tasks that ran out of memory (exit code 137) delivers nothing on moto. cabstand's emulator
# corrects it, and a test sends the event of a killed task to the rule of its Terraform.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check "moto[events,sqs]==5.2.5" boto3==1.44.5

export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
"$work/venv/bin/python" - <<'PYTHON'
import json
import sys

import boto3
from moto import mock_aws

PATTERN = {"detail": {"containers": {"exitCode": [137]}}}


def delivered(containers):
    """Return how many messages reach the queue of the rule after one event."""
    with mock_aws():
        events, sqs = boto3.client("events"), boto3.client("sqs")
        queue = sqs.create_queue(QueueName="target")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="rule", EventPattern=json.dumps(PATTERN))
        events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": arn}])
        detail = json.dumps({"containers": containers})
        events.put_events(Entries=[{"Source": "test", "DetailType": "task stopped", "Detail": detail}])
        count = len(sqs.receive_message(QueueUrl=queue).get("Messages", []))
        print(f"containers = {containers}: {count} delivered")
        return count


seen = [delivered({"exitCode": 137}), delivered([{"exitCode": 137}])]
sys.exit(0 if seen == [1, 0] else "The behaviour changed: expected 1 and 0 delivered events.")
PYTHON
echo "Still so: a pattern does not look into an array."

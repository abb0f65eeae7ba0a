#!/usr/bin/env bash
# moto 5.2.5: a DISABLED EventBridge rule still delivers an event of put_events to its SQS target.
#
# Seen: describe_rule says DISABLED, and the queue then holds the event. A rule whose pattern does not match delivers
# nothing, so moto does read the pattern, but not the state. AWS delivers nothing to the targets of a disabled rule.
#
# Why it matters: a test on moto cannot show that switching a rule off stops the work behind it. cabstand's emulator, which
# is moto corrected, reads the state.
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


def delivered(state, source):
    """Return how many messages reach the queue of a rule for `source` when an event comes from "shop"."""
    with mock_aws():
        events, sqs = boto3.client("events"), boto3.client("sqs")
        queue = sqs.create_queue(QueueName="target")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="rule", EventPattern=json.dumps({"source": [source]}), State=state)
        events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": arn}])
        stored = events.describe_rule(Name="rule")["State"]
        events.put_events(Entries=[{"Source": "shop", "DetailType": "sale", "Detail": "{}"}])
        count = len(sqs.receive_message(QueueUrl=queue).get("Messages", []))
        print(f"rule {stored} for events of {source!r}: {count} delivered")
        return count


seen = [delivered("ENABLED", "shop"), delivered("ENABLED", "bank"), delivered("DISABLED", "shop")]
sys.exit(0 if seen == [1, 0, 1] else "The behaviour changed: expected 1, 0 and 1 delivered events.")
PYTHON
echo "Still so: a disabled rule delivers."

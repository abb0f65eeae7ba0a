"""Each role of the applied account does its work; without one of its actions, the denial names action and role."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud_account import Account, client, session_keys
from emulator import messages
from taken_away import without

pytestmark = pytest.mark.cloud

A = "123456789012"
LAKE, ARTIFACTS = f"cabstand-dev-lake-{A}", f"cabstand-dev-artifacts-{A}"
RUN = {"cluster": "cabstand-dev", "launchType": "FARGATE", "tags": [{"key": "Deployment", "value": "cabstand-dev"}]}
QUEUE = f"http://127.0.0.1/{A}/cabstand-dev-dead-letters"
METRIC = {"Namespace": "cabstand/dev", "MetricData": [{"MetricName": "heartbeat", "Value": 1.0}]}
SUBSCRIPTION = f"arn:aws:sns:us-east-1:{A}:cabstand-dev-alarms:none"
TASK = {"cluster": "cabstand-dev", "task": "none"}
LOG = {"logGroupName": "/cabstand/cabstand-dev/tasks/compare", "logStreamName": "run/task/none"}
ALIAS = {"FunctionName": "cabstand-dev-api", "Name": "live"}


def put(bucket: str, key: str) -> dict[str, Any]:
    return {"Bucket": bucket, "Key": key, "Body": b"{}"}


def get(bucket: str, key: str) -> dict[str, Any]:
    return {"Bucket": bucket, "Key": key}


# Role, the action that is taken away, and a call that needs it.
WORK = [
    ("dev-task-clustering", "s3:PutObject", "s3.put_object", put(LAKE, "hotspots/taken/away")),
    ("dev-task-clustering", "s3:ListBucket", "s3.list_objects_v2", {"Bucket": LAKE, "Prefix": "trips/"}),
    ("dev-task-training", "s3:GetObject", "s3.get_object", get(LAKE, "hotspots/taken/away")),
    ("dev-task-training", "s3:PutObject", "s3.put_object", put(ARTIFACTS, "serving/taken-away.json")),
    ("dev-task-pipeline", "s3:DeleteObject", "s3.delete_object", get(LAKE, "hotspots/taken/away")),
    ("dev-task-worker", "s3:GetObject", "s3.get_object", get(LAKE, "hotspots/taken/away")),
    ("dev-task-distributing", "ecs:RunTask", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-dask-worker"}),
    ("dev-task-distributing", "iam:PassRole", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-dask-worker"}),
    ("dev-task-distributing", "ecs:TagResource", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-dask-worker"}),
    ("dev-task-distributing", "ecs:StopTask", "ecs.stop_task", TASK),
    ("dev-task-pipeline", "ecs:DescribeTasks", "ecs.describe_tasks", {"cluster": "cabstand-dev", "tasks": ["none"]}),
    ("dev-task-execution", "ecr:GetAuthorizationToken", "ecr.get_authorization_token", {}),
    (
        "dev-task-execution",
        "secretsmanager:GetSecretValue",
        "secretsmanager.get_secret_value",
        "cabstand-dev/mlflow/tasks",
    ),
    ("dev-scheduler", "ecs:RunTask", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-compare"}),
    ("dev-scheduler", "iam:PassRole", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-compare"}),
    ("dev-scheduler", "sqs:SendMessage", "sqs.send_message", {"QueueUrl": QUEUE, "MessageBody": "{}"}),
    ("dev-api-function", "s3:GetObject", "s3.get_object", get(ARTIFACTS, "serving/taken-away.json")),
    ("dev-api-function", "secretsmanager:GetSecretValue", "secretsmanager.get_secret_value", "cabstand-dev/api/keys"),
    ("dev-api-prediction-delivery", "s3:PutObject", "s3.put_object", put(LAKE, "predictions/taken-away")),
    (
        "dev-api-log-subscription",
        "firehose:PutRecordBatch",
        "firehose.put_record_batch",
        {"DeliveryStreamName": "cabstand-dev-api-predictions", "Records": [{"Data": b"{}"}]},
    ),
    ("dev-mlflow-server", "s3:PutObject", "s3.put_object", put(ARTIFACTS, "mlflow/taken-away")),
    ("dev-mlflow-server", "cloudwatch:PutMetricData", "cloudwatch.put_metric_data", METRIC),
    (
        "dev-mlflow-server",
        "secretsmanager:GetSecretValue",
        "secretsmanager.get_secret_value",
        "cabstand-dev/mlflow/server",
    ),
    ("dev-stay-asleep", "rds:StopDBInstance", "rds.stop_db_instance", {"DBInstanceIdentifier": "cabstand-dev-mlflow"}),
    ("plan", "s3:GetObject", "s3.get_object", get(f"cabstand-state-{A}", "dev/terraform.tfstate")),
    ("plan", "secretsmanager:GetRandomPassword", "secretsmanager.get_random_password", {}),
    ("images", "ecr:GetAuthorizationToken", "ecr.get_authorization_token", {}),
    ("run", "ecs:RunTask", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-compare"}),
    ("run", "iam:PassRole", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-pipeline"}),
    ("run", "ecs:TagResource", "ecs.run_task", RUN | {"taskDefinition": "cabstand-dev-monitor"}),
    ("run", "ecs:DescribeTasks", "ecs.describe_tasks", {"cluster": "cabstand-dev", "tasks": ["none"]}),
    ("run", "ecs:DescribeTaskDefinition", "ecs.describe_task_definition", {"taskDefinition": "cabstand-dev-compare"}),
    ("run", "logs:GetLogEvents", "logs.get_log_events", LOG),
    ("deploy", "lambda:UpdateAlias", "lambda.update_alias", ALIAS),
    ("deploy", "sns:Unsubscribe", "sns.unsubscribe", {"SubscriptionArn": SUBSCRIPTION}),
]


@pytest.mark.parametrize(("role", "action", "call", "params"), WORK, ids=lambda value: str(value)[:40])
def test_without_one_action(account: Account, role: str, action: str, call: str, params: Any) -> None:
    service, operation = call.split(".")
    given = {"SecretId": params} if isinstance(params, str) else params
    iam, sts = account.client("iam"), account.client("sts")
    answer = sts.assume_role(RoleArn=f"arn:aws:iam::{A}:role/cabstand-{role}", RoleSessionName="work")
    doing = getattr(client(account.url, service, session_keys(answer["Credentials"])), operation)
    assert "not authorized" not in message(doing, given)
    with without(iam, f"cabstand-{role}", action):
        denial = message(doing, given)
    assert f"assumed-role/cabstand-{role}/work is not authorized to perform: {action} on resource: " in denial
    assert f"because no identity-based policy allows the {action} action" in denial
    tidy(account)


def message(call: Any, params: dict[str, Any]) -> str:
    """Return the message of a call's error; empty if there is none."""
    try:
        call(**params)
    except ClientError as error:
        answer: Any = error.response
        return str(answer["Error"]["Message"])
    return ""


def tidy(account: Account) -> None:
    """Stop what a case started, start what it stopped, and take out what it sent: an alarm watches that queue."""
    messages(account.client, f"arn:aws:sqs:us-east-1:{A}:cabstand-dev-dead-letters")
    ecs, rds = account.client("ecs"), account.client("rds")
    for task in ecs.list_tasks(cluster="cabstand-dev")["taskArns"]:
        ecs.stop_task(cluster="cabstand-dev", task=task)
    database = rds.describe_db_instances()["DBInstances"][0]
    if database["DBInstanceStatus"] == "stopped":
        rds.start_db_instance(DBInstanceIdentifier=database["DBInstanceIdentifier"])

"""The whole account on the emulator: bootstrap, both plans, a full apply of dev, and an empty second plan.

The tests run in the order of the file; those of test_account_roles.py and test_leaving.py follow. What AWS returns is
read back with boto3.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from cabstand.local import clock
from cabstand.local.events import Deliveries
from cloud_account import Account

pytestmark = pytest.mark.cloud

TASKS = {
    "cluster-sequential",
    "cluster-multicore",
    "compare",
    "sweep",
    "train",
    "pipeline",
    "monitor",
    "retrain",
    "dask-worker",
}
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []})
# Kinds of resources that are in the code but not in dev's plan, each with the variable that adds it.
SWITCHED = {
    "aws_apigatewayv2_api_mapping": "api_domain_name",
    "aws_apigatewayv2_authorizer": "api_jwt_issuer",
    "aws_apigatewayv2_domain_name": "api_domain_name",
    "aws_eip": "egress = nat_gateway",
    "aws_flow_log": "enable_flow_logs",
    "aws_nat_gateway": "egress = nat_gateway",
    "aws_s3_bucket_logging": "enable_access_logs",
}


def test_bootstrap_moves_its_state_into_the_bucket_it_makes(account: Account) -> None:
    account.terraform("bootstrap", "-y")
    state = account.client("s3").get_object(Bucket="cabstand-state-123456789012", Key="bootstrap/terraform.tfstate")
    kinds = {resource["type"] for resource in json.load(state["Body"])["resources"]}
    assert {"aws_s3_bucket", "aws_ecr_repository", "aws_iam_openid_connect_provider", "aws_iam_policy"} <= kinds
    assert not list((account.tree / "infra/bootstrap").glob("*.tfstate*"))


def test_bootstrap_again_changes_nothing(account: Account) -> None:
    assert "0 added, 0 changed, 0 destroyed" in account.terraform("bootstrap", "-y")


def test_repositories_and_state_bucket_are_guarded(account: Account) -> None:
    repositories = account.client("ecr").describe_repositories()["repositories"]
    assert {r["repositoryName"] for r in repositories} == {"cabstand/batch", "cabstand/mlflow"}
    assert all(
        r["imageTagMutability"] == "IMMUTABLE" and r["imageScanningConfiguration"]["scanOnPush"] for r in repositories
    )
    s3 = account.client("s3")
    assert s3.get_bucket_versioning(Bucket="cabstand-state-123456789012")["Status"] == "Enabled"
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket="cabstand-state-123456789012")["Policy"]


def test_no_schedule_starts_before_the_first_image(account: Account) -> None:
    """A task without an image dies and rings an alarm; what is on the first day is no fault."""

    def enabled() -> set[bool]:
        planned = account.plan("dev")["planned_values"]
        return {schedule["enabled"] for schedule in planned["outputs"]["schedules"]["value"].values()}

    assert enabled() == {False}
    account.client("ecr").put_image(repositoryName="cabstand/batch", imageManifest=MANIFEST, imageTag="v1")
    assert enabled() == {True}


def test_prod_plans(account: Account) -> None:
    planned = account.plan("prod")
    after = {r["address"]: r["change"]["after"] for r in planned["resource_changes"]}
    database = after["module.tracking.aws_db_instance.main"]
    assert database["deletion_protection"]
    assert database["multi_az"]
    assert not database["publicly_accessible"]
    assert {"aws_flow_log", "aws_s3_bucket_logging"} <= {r["type"] for r in planned["resource_changes"]}


def test_dev_stays_within_its_cost_limits(account: Account) -> None:
    account.plan("dev")
    cost, _ = account.cabstand("cost", "plan.json", "--limit", "40", "--asleep-limit", "9")
    assert cost["unpriced"] == []
    assert 30 < cost["idle_usd_month"] < 40
    assert 5 < cost["asleep_usd_month"] < 9
    assert {run["task"].removeprefix("cabstand-dev-") for run in cost["runs"]} == TASKS
    assert all(line["source"].startswith("https://aws.amazon.com/") and line["as_of"] for line in cost["lines"])
    _, error = account.cabstand("cost", "plan.json", "--limit", "20", code=1)
    assert f"idle {cost['idle_usd_month']} USD a month, over 20.0" in error


def test_what_a_killed_apply_created_is_found(account: Account) -> None:
    """Killed while the database is being created; about half of the other resources are in the state by then."""
    apply = ("scripts/terraform.py", "dev", "apply", "-input=false", "-auto-approve")
    databases = account.client("rds").describe_db_instances
    begun = "module.tracking.aws_db_instance.main: Creating..."
    account.killed(*apply, when=begun, once=lambda: databases()["DBInstances"])
    error = account.terraform(*apply[1:], code=1)
    assert len(error.splitlines()) == 1
    assert account.unlocked(error)["module.tracking.aws_db_instance.main"] == "cabstand-dev-mlflow"
    # As if the provider had been killed earlier: after it created a group, before it revoked its default egress rule.
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group = security_groups(account)["cabstand-dev-mlflow-database"]
    account.client("ec2").authorize_security_group_egress(GroupId=group, IpPermissions=[everything])


def test_dev_applies_in_full(account: Account) -> None:
    planned = account.plan("dev")
    kinds = {r["type"] for r in planned["resource_changes"] if r["mode"] == "managed"}
    in_code = kinds_in_code(planned["configuration"]["root_module"])
    assert in_code - kinds == set(SWITCHED), "a kind of resource is in the code and not in dev; add it to SWITCHED"
    printed = account.terraform("dev", "apply", "-input=false", str(account.tree / "dev.tfplan"))
    managed = {r["address"]: r["change"] for r in planned["resource_changes"] if r["mode"] == "managed"}
    wanted = [change for change in managed.values() if "importing" in change or change["actions"] == ["create"]]
    imported, added = (int(n) for n in re.findall(r"(\d+) (?:imported|added)", printed))
    assert imported + added == len(wanted)
    held = set(account.terraform("dev", "state", "list").splitlines())
    assert {address for address in held if not re.search(r"(^|\.)data\.", address)} == managed.keys()


def test_groups_have_only_the_egress_rules_of_terraform(account: Account) -> None:
    state = json.loads(account.terraform("dev", "state", "pull"))["resources"]
    kind = "aws_vpc_security_group_egress_rule"
    held = {one["attributes"]["id"] for rule in state if rule["type"] == kind for one in rule["instances"]}
    only = [{"Name": "group-id", "Values": list(security_groups(account).values())}]
    rules = account.client("ec2").describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    assert {rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"]} == held


def test_second_plan_is_empty(account: Account) -> None:
    account.terraform("dev", "plan", "-input=false", "-detailed-exitcode", code=0)


def test_tasks_are_what_they_should_be(account: Account) -> None:
    ecs, found = account.client("ecs"), account.outputs["batch"]
    sizes = {}
    for name, arn in found["task_definition_arns"].items():
        task = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        container = task["containerDefinitions"][0]
        assert container["readonlyRootFilesystem"], name
        assert container["user"] == "10001:10001", name
        assert container["stopTimeout"] == 120, name
        sizes[name] = int(task["cpu"]) // 1024
    assert sizes["cluster-sequential"] == 1
    assert sizes["cluster-multicore"] == 4
    assert sum(sizes[task] for task in ("compare", "sweep", "pipeline")) <= 6, "the quota of a new account"
    assert sizes.keys() == TASKS


def test_schedules_start_the_tasks(account: Account) -> None:
    scheduler, found = account.client("scheduler"), account.outputs["batch"]
    tasks = {"daily-comparison": "compare", "weekly-sweep": "sweep", "monthly-pipeline": "pipeline"}
    tasks |= {"daily-monitor": "monitor"}
    for name, task in tasks.items():
        schedule = scheduler.get_schedule(Name=f"cabstand-dev-{name}", GroupName=found["schedule_group"])
        assert schedule["ScheduleExpressionTimezone"] == "America/New_York"
        target = schedule["Target"]
        assert target["EcsParameters"]["TaskDefinitionArn"] == found["task_definition_arns"][task]
        words = json.loads(target["Input"])["containerOverrides"][0]["command"]
        assert words[:6] == ["workflow", "run", name, "--scheduled", "<aws.scheduler.scheduled-time>", "--"]
        assert "\\u003c" not in target["Input"], "Scheduler would not replace it"
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 185
        assert target["DeadLetterConfig"]["Arn"].endswith(":cabstand-dev-dead-letters")


def test_a_schedule_fired_now_starts_its_task(account: Account) -> None:
    schedules = {one.name.removeprefix("cabstand-dev-") for one in clock.read(account.client)}
    assert schedules == {"daily-comparison", "weekly-sweep", "monthly-pipeline", "daily-monitor", "stay-asleep"}
    clock.fire(account.client, "daily-comparison")
    ecs, found = account.client("ecs"), account.outputs["batch"]
    [arn] = ecs.list_tasks(cluster="cabstand-dev")["taskArns"]
    [task] = ecs.describe_tasks(cluster="cabstand-dev", tasks=[arn])["tasks"]
    assert task["taskDefinitionArn"] == found["task_definition_arns"]["compare"]
    assert task["startedBy"] == "chronos-schedule/cabstand-dev-daily-comparison"
    ecs.stop_task(cluster="cabstand-dev", task=arn)


STOPPED = {
    "never started": {"stopCode": "TaskFailedToStart", "containers": [{}]},
    "killed": {"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 137}]},
    "out of memory": {"stopCode": "EssentialContainerExited", "containers": [{"reason": "OutOfMemoryError: killed"}]},
}
QUIET = {
    "done": {"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 0}]},
    "failed, and said so": {"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 1}]},
    "stopped by somebody": {"stopCode": "UserInitiated", "containers": [{"exitCode": 137}]},
    "of another cluster": STOPPED["never started"] | {"clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/other"},
    "still running": STOPPED["killed"] | {"lastStatus": "RUNNING"},
}


@pytest.mark.parametrize("name", STOPPED | QUIET)
def test_a_dead_task_reaches_the_alarm(account: Account, name: str) -> None:
    sqs, queue = account.client("sqs"), account.outputs["batch"]["dead_letter_queue"]
    cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/cabstand-dev"
    detail = {"clusterArn": cluster, "lastStatus": "STOPPED"} | (STOPPED | QUIET)[name]
    event = {"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": json.dumps(detail)}
    account.client("events").put_events(Entries=[event])
    Deliveries(account.client).tick()
    found = sqs.receive_message(QueueUrl=queue).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    assert len(found) == (name in STOPPED)


def test_alias_is_what_the_gateway_calls(account: Account) -> None:
    found = account.outputs
    alias = account.client("lambda").get_alias(FunctionName=found["function_name"], Name="live")
    assert alias["FunctionVersion"] == found["function_version"]
    gateway = account.client("apigatewayv2")
    apis = [api for api in gateway.get_apis()["Items"] if api["Name"] == "cabstand-dev-api"]
    integration = gateway.get_integrations(ApiId=apis[0]["ApiId"])["Items"][0]
    assert f"{alias['AliasArn']}/invocations" in integration["IntegrationUri"]
    stage = gateway.get_stage(ApiId=apis[0]["ApiId"], StageName="$default")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 50


def test_alarms_notify_one_topic(account: Account) -> None:
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    names = {alarm["AlarmName"].removeprefix("cabstand-dev-") for alarm in alarms}
    checklist = {
        "workflow-failures",
        "workflow-slow",
        "experiment-failures",
        "experiment-slow",
        "job-memory",
        "server-cpu",
        "server-silent",
        "monitor-silent",
    }
    service = {"api-errors", "api-slow", "api-throttled", "jobs-not-started", "database-disk"}
    assert names == checklist | service == set(account.outputs["alarm_names"])
    topics = {topic for alarm in alarms for topic in alarm["AlarmActions"]}
    assert [topic.rsplit(":", 1)[1] for topic in topics] == ["cabstand-dev-alarms"]
    mail = account.client("sns").list_subscriptions_by_topic(TopicArn=topics.pop())["Subscriptions"]
    assert [(s["Protocol"], s["Endpoint"]) for s in mail] == [("email", "alarms@example.org")]


def test_buckets_refuse_plain_http_and_the_public(account: Account) -> None:
    s3 = account.client("s3")
    for bucket in account.outputs["buckets"].values():
        statement = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        assert any(s["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(s.get("Condition")) for s in statement)
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_no_secret_is_in_the_state_or_the_user_data(account: Account) -> None:
    secrets = account.client("secretsmanager")
    values: set[str] = set()
    for name in ("cabstand-dev/mlflow/server", "cabstand-dev/mlflow/tasks"):
        values |= {
            v for v in json.loads(secrets.get_secret_value(SecretId=name)["SecretString"]).values() if len(v) > 20
        }
    assert len(values) == 3
    state = account.terraform("dev", "state", "pull")
    plan = (account.tree / "dev.tfplan").read_bytes()
    assert not [value for value in values if value in state or value.encode() in plan]


def test_predictions_reach_the_lake(account: Account) -> None:
    logs, found = account.client("logs"), account.outputs
    group = f"/aws/lambda/{found['function_name']}"
    logs.create_log_stream(logGroupName=group, logStreamName="run")
    line = json.dumps({"event": "prediction", "request_id": "r1"})
    event = {"timestamp": int(time.time() * 1000), "message": line}  # CloudWatch Logs refuses what is two weeks old
    logs.put_log_events(logGroupName=group, logStreamName="run", logEvents=[event])
    listed = account.client("s3").list_objects_v2(Bucket=found["buckets"]["lake"], Prefix="predictions/")
    assert listed["KeyCount"] == 1
    account.client("s3").delete_object(Bucket=found["buckets"]["lake"], Key=listed["Contents"][0]["Key"])


# Variable and new value => everything that changes in the plan.
CHANGES = {
    "multicore_vcpu=8": {'module.batch.aws_ecs_task_definition.main["cluster-multicore"]': ["delete", "create"]},
    'schedule_overrides={"weekly-sweep":{"expression":"cron(0 9 ? * MON *)"}}': {
        'module.batch.aws_scheduler_schedule.main["weekly-sweep"]': ["update"]
    },
    "alarm_email=other@example.org": {"module.monitoring.aws_sns_topic_subscription.email[0]": ["delete", "create"]},
}


@pytest.mark.parametrize("variable", CHANGES)
def test_one_variable_changes_exactly_what_it_should(account: Account, variable: str) -> None:
    # The account has just been compared with the code; this plan shows the variable alone.
    planned = account.plan("dev", "-refresh=false", f"-var={variable}")
    changed = {
        r["address"]: r["change"]["actions"]
        for r in planned["resource_changes"]
        if r["mode"] == "managed" and r["change"]["actions"] != ["no-op"]
    }
    assert changed == CHANGES[variable]


def test_a_size_changed_moves_the_price(account: Account) -> None:
    before, _ = account.cabstand("cost", "plan.json")
    account.plan("dev", "-refresh=false", "-var=server_instance_type=t4g.medium")
    after, _ = account.cabstand("cost", "plan.json")
    assert after["idle_usd_month"] - before["idle_usd_month"] == pytest.approx(730 * 0.0168, abs=0.011)
    assert after["asleep_usd_month"] == before["asleep_usd_month"]


def security_groups(account: Account) -> dict[str, str]:
    """Return the ids of dev's security groups by name."""
    only = [{"Name": "group-name", "Values": ["cabstand-dev-*"]}]
    found = account.client("ec2").describe_security_groups(Filters=only)["SecurityGroups"]
    return {group["GroupName"]: group["GroupId"] for group in found}


def kinds_in_code(module: dict[str, Any]) -> set[str]:
    """Return every kind of managed resource below a module, as Terraform itself read it."""
    kinds = {resource["type"] for resource in module.get("resources", []) if resource["mode"] == "managed"}
    for call in module.get("module_calls", {}).values():
        kinds |= kinds_in_code(call["module"])
    return kinds

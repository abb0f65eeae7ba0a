"""Faults of an account on this machine, each planted by what a person or an accident would do, and undone."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from bundles import point, small_bundle
from cabstand.account import schedules
from cabstand.account.deployment import Deployment
from cabstand.jobs.doctor import Params
from cabstand.local.ports import free_port
from laptop import Laptop

STATE = "cabstand-state-123456789012"
FUNCTION = "cabstand-dev-api"
LIVE = {"FunctionName": FUNCTION, "Qualifier": "live"}


@dataclass
class Site:
    """Where faults are planted; this process acts for the account meanwhile."""

    laptop: Laptop
    params: Params  # what doctor is told
    environment: pytest.MonkeyPatch
    server: HTTPServer  # stands in for what answers wrongly
    folder: Path

    def client(self, service: str) -> Any:
        return self.laptop.client(service)

    def stand_in(self, path: str) -> str:
        """Return the address of a stand-in without a slash at its end."""
        return str(self.server.url_for(path))

    def change(self, **told: str) -> None:
        self.params = replace(self.params, **told)


@dataclass(frozen=True)
class Fault:
    """A fault, and the line that names it."""

    plant: Callable[[Site], Iterator[None]]
    line: str
    status: str
    hint: str  # a part of what the line says to do
    group: str  # faults of a group are there at the same time


PLANTED: dict[str, Fault] = {}


def fault(line: str, status: str, hint: str, group: str = "first") -> Callable[[Callable[[Site], Iterator[None]]], Any]:
    """Register a fault: a function that plants it, yields, and undoes it."""

    def register(plant: Callable[[Site], Iterator[None]]) -> Any:
        name = plant.__name__.replace("_", " ")
        PLANTED[name] = Fault(plant, line, status, hint, group)
        return plant

    return register


def plant(group: str, site: Site, undone: ExitStack) -> None:
    """Plant the faults of a group, each of which is undone whatever happens."""
    for fault in PLANTED.values():
        if fault.group == group:
            steps = fault.plant(site)
            next(steps)
            undone.callback(next, steps, None)


# --- tools and caller


@fault("terraform", "fail", "install Terraform 1.11")
def terraform_is_missing(site: Site) -> Iterator[None]:
    site.environment.setenv("PATH", str(site.folder))
    yield


@fault("terraform", "fail", "install Terraform 1.11", "second")
def terraform_is_old(site: Site) -> Iterator[None]:
    program = site.folder / "terraform"
    program.write_text("#!/bin/sh\necho Terraform v1.5.7\n")
    program.chmod(0o755)
    site.environment.setenv("PATH", str(site.folder))
    yield


@fault("credentials", "fail", "set AWS credentials", "third")
def no_credentials(site: Site) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        site.environment.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        site.environment.setenv(name, str(site.folder / "none"))
    yield


@fault("credentials", "fail", "log in again", "fourth")
def unknown_credentials(site: Site) -> Iterator[None]:
    site.environment.setenv("AWS_ACCESS_KEY_ID", "ASIAEXPIRED000000000")  # pragma: allowlist secret
    yield


@fault("clock", "fail", "timedatectl set-ntp true", "second")
def a_clock_that_is_ten_minutes_fast(site: Site) -> Iterator[None]:
    moment = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    parts = "<Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId><Account>123456789012</Account>"
    answer = f"<Answer><GetCallerIdentityResult>{parts}</GetCallerIdentityResult></Answer>"
    site.server.expect_request("/sts").respond_with_data(answer)
    site.environment.setattr("werkzeug.serving.WSGIRequestHandler.date_time_string", lambda *_: moment)
    site.environment.setenv("AWS_ENDPOINT_URL_STS", site.stand_in("/sts"))
    yield


@fault("FARGATE", "fail", "in Service Quotas, or choose smaller tasks")
def a_quota_that_is_too_small(site: Site) -> Iterator[None]:
    site.server.expect_request("/quotas").respond_with_json({"Quota": {"Value": 2.0}})
    site.environment.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", site.stand_in("/quotas"))
    yield


@fault("Lambda's quota", "fail", "api_reserved_concurrency")
def no_concurrency(site: Site) -> Iterator[None]:
    functions, name = site.client("lambda"), {"FunctionName": FUNCTION}
    before = functions.get_function_concurrency(**name).get("ReservedConcurrentExecutions")
    functions.put_function_concurrency(**name, ReservedConcurrentExecutions=0)
    yield
    functions.delete_function_concurrency(**name)
    if before is not None:
        functions.put_function_concurrency(**name, ReservedConcurrentExecutions=before)


# --- state and buckets


@fault("lock", "warn", "make unlock ENV=dev LOCK=0c6e")
def a_lock_that_was_left(site: Site) -> Iterator[None]:
    s3, where = site.client("s3"), {"Bucket": STATE, "Key": "dev/terraform.tfstate.tflock"}
    s3.put_object(**where, Body=json.dumps({"ID": "0c6e", "Who": "jane@laptop"}))
    yield
    s3.delete_object(**where)


@fault(STATE, "fail", "make bootstrap")
def a_bucket_without_versioning(site: Site) -> Iterator[None]:
    s3 = site.client("s3")
    s3.put_bucket_versioning(Bucket=STATE, VersioningConfiguration={"Status": "Suspended"})
    yield
    s3.put_bucket_versioning(Bucket=STATE, VersioningConfiguration={"Status": "Enabled"})


@fault("cabstand-dev-lake-123456789012", "fail", "make deploy")
def a_lake_that_may_be_public(site: Site) -> Iterator[None]:
    s3, bucket = site.client("s3"), {"Bucket": site.laptop.outputs["buckets"]["lake"]}
    block = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(**bucket)
    yield
    s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=block)


# --- MLflow


@fault("MLflow", "fail", "cabstand local logs mlflow")
def mlflow_is_down(site: Site) -> Iterator[None]:
    site.change(mlflow=f"http://127.0.0.1:{free_port()}")
    yield


@fault("MLflow's login", "fail", "mlflow_setup.sh", "second")
def mlflow_without_login(site: Site) -> Iterator[None]:
    site.server.expect_request("/mlflow/health").respond_with_data("OK")
    site.server.expect_request("/mlflow/api/2.0/mlflow/experiments/search").respond_with_json({})
    site.change(mlflow=site.stand_in("/mlflow"))
    yield


@fault("allowed hosts", "fail", "set MLFLOW_ALLOWED_HOSTS", "second")
def mlflow_by_any_name(_: Site) -> Iterator[None]:
    yield  # as the one without login


@fault("allowed hosts", "fail", "make deploy")
def allowed_hosts_with_a_wildcard(site: Site) -> Iterator[None]:
    ec2, server = site.client("ec2"), {"InstanceId": site.laptop.outputs["mlflow"]["server_id"]}
    before = ec2.describe_instance_attribute(**server, Attribute="userData")["UserData"]["Value"]
    script = base64.b64decode(before).decode().replace("MLFLOW_ALLOWED_HOSTS=", "MLFLOW_ALLOWED_HOSTS=*,")
    ec2.modify_instance_attribute(**server, UserData={"Value": base64.b64encode(script.encode())})
    yield
    ec2.modify_instance_attribute(**server, UserData={"Value": before})


@fault("MLflow's network", "fail", "take that rule away")
def mlflow_is_public(site: Site) -> Iterator[None]:
    ec2 = site.client("ec2")
    only = [{"Name": "group-name", "Values": ["cabstand-dev-mlflow"]}]
    group = ec2.describe_security_groups(Filters=only)["SecurityGroups"][0]["GroupId"]
    world = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world])
    yield
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[world])


@fault("MLflow's network", "fail", "make deploy")
def a_public_database(site: Site) -> Iterator[None]:
    rds, name = site.client("rds"), {"DBInstanceIdentifier": "cabstand-dev-mlflow"}
    rds.modify_db_instance(**name, PubliclyAccessible=True)
    yield
    rds.modify_db_instance(**name, PubliclyAccessible=False)


@fault("MLflow server", "fail", "make wake")
def a_stopped_server(site: Site) -> Iterator[None]:
    ec2, server = site.client("ec2"), {"InstanceIds": [site.laptop.outputs["mlflow"]["server_id"]]}
    ec2.stop_instances(**server)
    yield
    ec2.start_instances(**server)


# --- the service


@fault("API keys", "fail", "cabstand keys create")
def no_api_key(site: Site) -> Iterator[None]:
    secrets, name = site.client("secretsmanager"), {"SecretId": "cabstand-dev/api/keys"}
    before = secrets.get_secret_value(**name)["SecretString"]
    secrets.put_secret_value(**name, SecretString='{"schema_version": 1, "keys": []}')
    yield
    secrets.put_secret_value(**name, SecretString=before)


@fault("gateway's permission", "fail", "make deploy")
def a_permission_taken_from_the_gateway(site: Site) -> Iterator[None]:
    functions = site.client("lambda")
    (before,) = json.loads(functions.get_policy(**LIVE)["Policy"])["Statement"]
    functions.remove_permission(**LIVE, StatementId=before["Sid"])
    yield
    functions.add_permission(
        **LIVE,
        StatementId=before["Sid"],
        Action=before["Action"],
        Principal=before["Principal"]["Service"],
        SourceArn=before["Condition"]["ArnLike"]["AWS:SourceArn"],
    )


@fault("live alias", "warn", "make deploy")
def an_alias_at_an_older_version(site: Site) -> Iterator[None]:
    functions, name = site.client("lambda"), {"FunctionName": FUNCTION}
    before = functions.get_function_configuration(**name)["Description"]
    functions.update_function_configuration(**name, Description="newer")
    made = functions.publish_version(**name)["Version"]
    assert made != "1"
    yield
    functions.delete_function(**name, Qualifier=made)
    functions.update_function_configuration(**name, Description=before)


@fault("live alias", "warn", "roll it back")
def a_canary_that_was_left(site: Site) -> Iterator[None]:
    functions, alias = site.client("lambda"), {"FunctionName": FUNCTION, "Name": "live"}
    functions.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}})
    yield
    functions.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {}})


@fault("bundle of housing", "fail", "cabstand rollback --problem housing")
def a_bundle_whose_hash_differs(site: Site) -> Iterator[None]:
    artifacts, s3 = site.laptop.outputs["artifacts_uri"], site.client("s3")
    bucket, _, prefix = artifacts.removeprefix("s3://").partition("/")
    small_bundle(artifacts, "housing")
    point(artifacts, "housing")
    model = {"Bucket": bucket, "Key": f"{prefix}/housing/bundles/v1/model.onnx"}
    body = s3.get_object(**model)["Body"].read()
    s3.put_object(**model, Body=body[:-1] + bytes([body[-1] ^ 1]))
    yield
    for one in s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/housing/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=one["Key"])


@fault("served housing", "fail", "the function's log")
def a_pointer_that_the_service_does_not_follow(_: Site) -> Iterator[None]:
    yield  # to a bundle whose hash differs


@fault("warm latency", "warn", "api_memory_mib")
def a_slow_service(site: Site) -> Iterator[None]:
    def alive(_: Request) -> Response:
        time.sleep(1.05)
        return Response('{"status":"alive"}')

    site.server.expect_request("/service/healthz").respond_with_handler(alive)
    site.change(endpoint=site.stand_in("/service"))
    yield


@fault("service", "fail", "cabstand local logs function", "second")
def a_service_that_fails(site: Site) -> Iterator[None]:
    site.server.expect_request("/service/healthz").respond_with_data("", status=502)
    site.change(endpoint=site.stand_in("/service"))
    yield


# --- tasks and logs


@fault("schedules", "warn", "schedule_overrides")
def a_schedule_that_is_off(_: Site) -> Iterator[None]:
    """Turn the others on."""
    deployment = Deployment("cabstand", "dev")
    off = [name for name, on in schedules.states(deployment).items() if not on]
    changed = set(off) - {deployment.stay_asleep_schedule, "cabstand-dev-weekly-sweep"}
    for name in changed:
        schedules.switch(deployment, name, enabled=True)
    yield
    for name in changed:
        schedules.switch(deployment, name, enabled=False)


@fault("image", "fail", "make push-images TAG=v1")
def an_image_that_is_missing(site: Site) -> Iterator[None]:
    ecr, other = site.client("ecr"), {"repositoryName": "cabstand/batch"}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []})
    ecr.put_image(**other, imageManifest=manifest, imageTag="v0")
    yield
    ecr.batch_delete_image(**other, imageIds=[{"imageTag": "v0"}])


@fault("orphaned tasks", "fail", "aws ecs stop-task --cluster cabstand-dev", "second")
def a_task_that_outlived_its_time(site: Site) -> Iterator[None]:
    ecs, batch = site.client("ecs"), site.laptop.outputs["batch"]
    network = {"subnets": batch["subnet_ids"], "securityGroups": [batch["security_group_id"]]}
    nothing = [
        {"name": "CABSTAND_ARTIFACTS", "value": "/tmp"}
    ]  # what the task's role may not read, it does not ask for
    serve = {"name": "task", "command": ["serve", "--no-keys", "--port", "0"], "environment": nothing}
    (task,) = ecs.run_task(
        cluster="cabstand-dev",
        taskDefinition=batch["task_definition_arns"]["dask-worker"],
        networkConfiguration={"awsvpcConfiguration": network},
        overrides={"containerOverrides": [serve]},
        tags=[{"key": "LifetimeSeconds", "value": "0"}],
    )["tasks"]
    yield
    ecs.stop_task(cluster="cabstand-dev", task=task["taskArn"])


@fault("log retention", "warn", "aws logs put-retention-policy")
def a_log_group_that_keeps_everything(site: Site) -> Iterator[None]:
    logs, group = site.client("logs"), {"logGroupName": f"/aws/lambda/{FUNCTION}"}
    days = logs.describe_log_groups(logGroupNamePrefix=group["logGroupName"])["logGroups"][0]["retentionInDays"]
    logs.delete_retention_policy(**group)
    yield
    logs.put_retention_policy(**group, retentionInDays=days)

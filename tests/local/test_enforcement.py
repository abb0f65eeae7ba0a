"""Calls to the emulator are judged by their caller's role, denied as AWS denies them, and recorded."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder

import cloud_account
import judging_emulator
from cabstand.local.emulator.enforcement import Enforcement
from judging_emulator import TRUST, Emulator, policy


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with judging_emulator.emulator(tmp_path_factory.mktemp("emulator")) as found:
        yield found


@pytest.fixture
def bucket(emulator: Emulator) -> str:
    name = f"bucket-{uuid4().hex[:8]}"
    emulator.client("s3").create_bucket(Bucket=name)
    return name


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def error(call: Callable[[], Any]) -> tuple[str, str, int]:
    """Return code, message and status of the error that a call gets."""
    with pytest.raises(ClientError) as caught:
        call()
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_role_may_do_what_its_policy_allows(emulator: Emulator, bucket: str) -> None:
    keys = emulator.session(emulator.role(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/in/*")))
    s3 = emulator.client("s3", keys)
    s3.put_object(Bucket=bucket, Key="in/a", Body=b"x")
    assert error(lambda: s3.put_object(Bucket=bucket, Key="out/a", Body=b"x"))[0] == "AccessDenied"


def test_a_denial_is_worded_as_by_aws_and_recorded(emulator: Emulator, bucket: str) -> None:
    role = emulator.role(allow("s3:ListBucket"))
    s3 = emulator.client("s3", emulator.session(role))
    found = error(lambda: s3.get_object(Bucket=bucket, Key="a"))
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/test"
    assert found == (
        "AccessDenied",
        f"User: {session} is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::{bucket}/a"
        " because no identity-based policy allows the s3:GetObject action",
        403,
    )
    s3.list_objects_v2(Bucket=bucket)
    s3.list_objects_v2(Bucket=bucket)
    record = [(one["action"], one["allowed"]) for one in emulator.record(role)]
    assert record == [("s3:GetObject", False), ("s3:ListBucket", True), ("s3:ListBucket", True)]
    assert [one["call"] for one in emulator.record(role)] == ["s3:GetObject", "s3:GetObject", "s3:ListObjectsV2"]


DENIED = {  # service: a call without parameters, code, status
    "apigatewayv2": ("get_apis", "AccessDeniedException", 403),
    "cloudwatch": ("list_metrics", "AccessDenied", 400),
    "ec2": ("describe_vpcs", "UnauthorizedOperation", 403),
    "ecs": ("list_clusters", "AccessDeniedException", 400),
    "iam": ("list_roles", "AccessDenied", 403),
    "lambda": ("list_functions", "AccessDeniedException", 403),
    "logs": ("describe_log_groups", "AccessDeniedException", 400),
    "rds": ("describe_db_instances", "AccessDenied", 403),
    "s3": ("list_buckets", "AccessDenied", 403),
    "scheduler": ("list_schedules", "AccessDeniedException", 403),
    "secretsmanager": ("list_secrets", "AccessDeniedException", 400),
    "sns": ("list_topics", "AuthorizationError", 403),
    "sqs": ("list_queues", "AccessDenied", 400),
}


@pytest.fixture(scope="module")
def nobody(emulator: Emulator) -> dict[str, str]:
    """The keys of a role without a policy."""
    return emulator.session(emulator.role())


@pytest.mark.parametrize("service", DENIED)
def test_each_service_denies_with_its_own_code(emulator: Emulator, nobody: dict[str, str], service: str) -> None:
    operation, code, status = DENIED[service]
    found = error(getattr(emulator.client(service, nobody), operation))
    assert (found[0], found[2]) == (code, status)
    assert "is not authorized to perform: " in found[1]


UNKNOWN = {"ec2": "AuthFailure", "ecs": "UnrecognizedClientException", "s3": "InvalidAccessKeyId"}


@pytest.mark.parametrize("service", sorted({*UNKNOWN, "iam", "rds", "sns"}))
def test_keys_that_the_emulator_did_not_issue(emulator: Emulator, service: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAAAAAAAAAAAAAAAAA", "AWS_SECRET_ACCESS_KEY": "x"}  # pragma: allowlist secret
    found = error(getattr(emulator.client(service, keys), DENIED[service][0]))
    assert found[0] == UNKNOWN.get(service, "InvalidClientTokenId")


def test_a_key_without_its_session_token(emulator: Emulator) -> None:
    keys = emulator.session(emulator.role(allow("*"))) | {"AWS_SESSION_TOKEN": "another"}
    assert error(emulator.client("iam", keys).list_roles)[0] == "InvalidClientTokenId"


def test_an_unsigned_call_is_refused(emulator: Emulator, bucket: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{emulator.url}/{bucket}/a")
    with urllib.request.urlopen(f"{emulator.url}/moto-api/data.json") as answer:
        assert answer.status == 200


def test_a_signed_address_counts_as_its_signer(emulator: Emulator, bucket: str) -> None:
    emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    keys = emulator.session(emulator.role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a")))
    sign = emulator.client("s3", keys).generate_presigned_url
    with urllib.request.urlopen(sign("get_object", Params={"Bucket": bucket, "Key": "a"})) as answer:
        assert answer.read() == b"x"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(sign("get_object", Params={"Bucket": bucket, "Key": "b"}))


def test_an_operation_that_the_table_lacks_is_denied(emulator: Emulator) -> None:
    keys = emulator.session(emulator.role(allow("*")))
    found = error(emulator.client("kms", keys).create_key)
    assert found[0] == "AccessDeniedException"
    assert "kms:CreateKey" in found[1]
    assert "not in cabstand/local/permissions/actions.toml" in found[1]
    assert error(emulator.client("athena", keys).list_work_groups)[0] == "AccessDeniedException"


def test_who_one_is_needs_no_permission(emulator: Emulator, nobody: dict[str, str]) -> None:
    assert ":assumed-role/" in emulator.client("sts", nobody).get_caller_identity()["Arn"]


def test_a_boundary_and_a_session_policy_limit_a_role(emulator: Emulator) -> None:
    limit = emulator.client("iam").create_policy(PolicyName="limit", PolicyDocument=policy(allow(["iam:*", "sqs:*"])))
    role = emulator.role(allow("*"), PermissionsBoundary=limit["Policy"]["Arn"])
    keys = emulator.session(role)
    emulator.client("iam", keys).list_roles()
    assert "no permissions boundary policy allows" in error(emulator.client("ecs", keys).list_clusters)[1]
    narrow = emulator.session(role, Policy=policy(allow("sqs:ListQueues")))
    emulator.client("sqs", narrow).list_queues()
    assert "no session policy allows" in error(emulator.client("iam", narrow).list_roles)[1]


def test_session_tags_are_condition_keys(emulator: Emulator) -> None:
    team = {"StringEquals": {"aws:PrincipalTag/team": "cabs"}}
    role = emulator.role(allow("iam:ListRoles", Condition=team))
    tagged = emulator.session(role, Tags=[{"Key": "team", "Value": "cabs"}])
    emulator.client("iam", tagged).list_roles()
    assert error(emulator.client("iam", emulator.session(role)).list_roles)[0] == "AccessDenied"


def test_a_change_of_a_policy_counts_at_once(emulator: Emulator) -> None:
    role = emulator.role()
    iam = emulator.client("iam", emulator.session(role))
    assert error(iam.list_roles)[0] == "AccessDenied"
    name = role.rpartition("/")[2]
    emulator.client("iam").put_role_policy(RoleName=name, PolicyName="new", PolicyDocument=policy(allow("iam:*")))
    assert iam.list_roles()["Roles"]


def test_a_bucket_policy_denies_and_grants(emulator: Emulator, bucket: str) -> None:
    role = emulator.role(allow("s3:*"))
    guest = emulator.role()
    objects = {"Resource": f"arn:aws:s3:::{bucket}/*"}
    statements = [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", **objects},
        {"Effect": "Allow", "Principal": {"AWS": guest}, "Action": "s3:GetObject", **objects},
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "s3:DeleteObject", **objects},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Condition": {"Bool": {"aws:SecureTransport": False}},
            **objects,
        },
    ]
    emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    emulator.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(*statements))
    denied = error(lambda: emulator.client("s3", emulator.session(role)).put_object(Bucket=bucket, Key="a"))
    assert "with an explicit deny in a resource-based policy" in denied[1]
    s3 = emulator.client("s3", emulator.session(guest))
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    assert error(lambda: s3.delete_object(Bucket=bucket, Key="a"))[0] == "AccessDenied"


def test_a_missing_object_is_hidden_from_who_may_not_list(emulator: Emulator, bucket: str) -> None:
    objects = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    prefix = allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition={"StringLike": {"s3:prefix": "known/*"}})
    s3 = emulator.client("s3", emulator.session(emulator.role(objects, prefix)))
    assert error(lambda: s3.get_object(Bucket=bucket, Key="known/a"))[0] == "NoSuchKey"
    assert error(lambda: s3.get_object(Bucket=bucket, Key="other/a"))[0] == "AccessDenied"


def test_what_a_call_implies_is_checked(emulator: Emulator) -> None:
    passed = emulator.role()
    own = allow("ecs:RegisterTaskDefinition")
    ecs = emulator.client("ecs", emulator.session(emulator.role(own)))
    container = {"name": "c", "image": "i", "memory": 128}
    words = {"family": "f", "taskRoleArn": passed, "containerDefinitions": [container]}
    message = error(lambda: ecs.register_task_definition(**words))[1]
    assert f"is not authorized to perform: iam:PassRole on resource: {passed}" in message
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    both = emulator.role(own, allow("iam:PassRole", passed, Condition=to_tasks))
    emulator.client("ecs", emulator.session(both)).register_task_definition(**words)


def test_who_starts_a_task_passes_its_roles(emulator: Emulator) -> None:
    passed, admin = emulator.role(), emulator.client("ecs")
    container = {"name": "c", "image": "i", "memory": 128}
    admin.create_cluster(clusterName="passing")
    for family, more in {"with": {"taskRoleArn": passed}, "without": {}}.items():
        admin.register_task_definition(family=family, containerDefinitions=[container], **more)
    ecs = emulator.client("ecs", emulator.session(emulator.role(allow("ecs:RunTask"))))
    message = error(lambda: ecs.run_task(cluster="passing", taskDefinition="with"))[1]
    assert f"is not authorized to perform: iam:PassRole on resource: {passed}" in message
    with pytest.raises(ClientError) as caught:
        ecs.run_task(cluster="passing", taskDefinition="without")
    assert "not authorized" not in str(caught.value)  # no instance to run it on


def test_a_role_takes_another_only_if_both_agree(emulator: Emulator) -> None:
    trusted = emulator.role()
    delegating = emulator.role()
    naming = emulator.role(trust=TRUST | {"Principal": {"AWS": trusted}})

    def assume(role: str, target: str) -> Any:
        sts = emulator.client("sts", emulator.session(role))
        return sts.assume_role(RoleArn=target, RoleSessionName="other")

    assume(trusted, naming)  # trust in a role by name is enough in one account
    assert error(lambda: assume(trusted, delegating))[0] == "AccessDenied"
    may = emulator.role(allow("sts:AssumeRole"))
    assume(may, delegating)
    assert "no resource-based policy allows" in error(lambda: assume(may, naming))[1]


WEB = "sts:AssumeRoleWithWebIdentity"


def test_a_token_is_held_against_the_trust(emulator: Emulator) -> None:
    provider = emulator.client("iam").create_open_id_connect_provider(
        Url=cloud_account.GITHUB, ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    keys = {"token.actions.githubusercontent.com:sub": "repo:a/b:pull_request"}
    trust = {
        "Effect": "Allow",
        "Action": WEB,
        "Principal": {"Federated": provider},
        "Condition": {"StringEquals": keys},
    }
    role = emulator.role(allow("iam:ListRoles"), trust=trust).rpartition("/")[2]
    emulator.client("iam").get_role(RoleName=role)

    def take(**claims: Any) -> dict[str, str]:
        return cloud_account.github_session(emulator.url, role, {"sub": "repo:a/b:pull_request"} | claims, prefix="")

    emulator.client("iam", take()).list_roles()
    assert error(lambda: take(sub="repo:a/c:pull_request"))[0] == "AccessDenied"
    assert error(lambda: take(aud="somebody"))[0] == "InvalidIdentityToken"
    assert error(lambda: take(iss="https://other.example"))[0] == "InvalidIdentityToken"
    assert error(lambda: take(exp=1))[0] == "ExpiredTokenException"


def test_malformed_requests_get_the_services_answer(emulator: Emulator) -> None:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=emulator/20260101/us-east-1/ecs/aws4_request, Signature=x",
        "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = urllib.request.Request(emulator.url, data=json.dumps({}).encode(), headers=headers)
    with urllib.request.urlopen(request) as answer:
        assert "clusterArns" in json.load(answer)
    headers["Authorization"] = headers["Authorization"].replace("emulator/", "nobody/")
    for body in (b"{", b"\x00\xff"):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(emulator.url, data=body, headers=headers))


@pytest.mark.parametrize(("action", "at_once"), [("ListQueues", 1), ("ReceiveMessage", 8)])
def test_moto_gets_one_call_at_a_time(action: str, at_once: int) -> None:
    """Its dictionaries must not change while another call reads them; only a call that waits for messages shares."""
    inside, most, all_of_them = [], [], threading.Event()

    def moto(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        inside.append(1)
        most.append(len(inside))
        if len(inside) == 8:
            all_of_them.set()
        all_of_them.wait(0.1 if at_once == 1 else 10)
        inside.pop()
        return [b""]

    def call(_: int) -> None:
        credential = "AWS4-HMAC-SHA256 Credential=emulator/20260101/us-east-1/sqs/aws4_request"
        headers = {"Authorization": credential, "X-Amz-Target": f"AmazonSQS.{action}"}
        body = json.dumps({"QueueUrl": "http://127.0.0.1/123456789012/queue"})
        request = EnvironBuilder(method="POST", headers=headers, data=body, content_type="application/x-amz-json-1.0")
        enforcement(request.get_environ(), lambda *_: None)

    enforcement = Enforcement(moto)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert max(most) == at_once

"""The tables of actions against AWS's service authorization reference, and what IAM is asked about calls."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import iam_reference
from cabstand.local.permissions import requests
from cabstand.local.permissions.call import Call
from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.patterns import matches
from iam_reference import Reference

A = "123456789012"
JUDGED = sorted((name, *one) for name, judged in requests.operations().items() for one in judged)
IMPLIED = requests.tables("implied.toml")["implied"]
# Forms that AWS's error messages and documentation show, and the reference does not.
FORMS = {
    "apigateway": "its actions are methods, judged on the path of the request",
    "logs": "compared with the form that ends in :log-stream:",
}
# Judged on everything, where the reference names kinds of resources.
ON_EVERYTHING = {"ec2": "see actions.toml"}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return iam_reference.load()


def test_each_operation_is_one_of_its_service() -> None:
    session = botocore.session.get_session()
    for operation in requests.operations():
        service, name = operation.split(":")
        assert name in session.get_service_model(service).operation_names


def test_each_action_is_one_that_aws_judges_on_that_resource(reference: Reference) -> None:
    wrong = [one for one in JUDGED if not is_judged(reference, one[1], one[2])]
    assert wrong == []


def is_judged(reference: Reference, action: str, resource: str) -> bool:
    service, _, _ = action.partition(":")
    kinds = iam_reference.kinds(reference, action)
    if resource == "*":
        return bool(kinds) and (service in ON_EVERYTHING or not any(one["required"] for one in kinds.values()))
    if not resource.startswith("arn:") or service in FORMS:
        return bool(kinds)
    written = re.sub(r"\{[^}]*\}", lambda one: "x:1" if "|revision" in one[0] else "x", resource)
    return any(matches(form, written) for form in iam_reference.forms(reference, action))


def test_an_implied_action_exists(reference: Reference) -> None:
    unknown = [a for one in IMPLIED for a in listed(one["action"]) if not iam_reference.kinds(reference, a)]
    assert set(unknown) <= iam_reference.UNDOCUMENTED
    assert all(one["page"].startswith("https://") and one["why"] for one in IMPLIED)


CASES = tomllib.loads((Path(__file__).resolve().parents[2] / "infra/implied_permissions.toml").read_text())["implied"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['role']} {case['call']} {case['action']}")
def test_the_emulator_asks_for_each_implied_permission(case: dict[str, Any]) -> None:
    """The cases are evaluated on applied policies; the emulator asks for the same at the call itself."""
    if case["call"] == "terraform plan":
        assert ("secretsmanager:GetRandomPassword", "*") in asked("secretsmanager", "GetRandomPassword")
        return
    own = [action for action, _ in requests.operations()[case["call"]]]
    implied = [a for one in IMPLIED if fnmatchcase(case["call"], one["call"]) for a in listed(one["action"])]
    assert case["action"] in own + implied


def asked(service: str, operation: str, **params: Any) -> list[tuple[str, str]]:
    found = requests.requests(Call("key", "us-east-1", service, operation, params), A)
    assert found is not None
    return [(one.action, one.resource) for one in found]


ARN = f"arn:aws:ecs:us-east-1:{A}:"
BUS = f"arn:aws:events:us-east-1:{A}:"
QUEUE = f"arn:aws:sqs:us-east-1:{A}:q"
EXAMPLES = [
    (
        ("s3", "GetObject"),
        {"Bucket": "b", "Key": "k/é {x}"},
        [("s3:GetObject", "arn:aws:s3:::b/k/é (x)"), ("s3:ListBucket", "arn:aws:s3:::b")],
    ),
    (
        ("s3", "DeleteObject"),
        {"Bucket": "b", "Key": "k", "VersionId": "1"},
        [("s3:DeleteObjectVersion", "arn:aws:s3:::b/k")],
    ),
    (("s3", "HeadBucket"), {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    (
        ("s3", "DeleteObjects"),
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/a"), ("s3:DeleteObject", "arn:aws:s3:::b/b")],
    ),
    (
        ("s3", "CopyObject"),
        {"Bucket": "b", "Key": "k", "CopySource": "c/d?versionId=1"},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::c/d")],
    ),
    (
        ("s3", "PutObject"),
        {"Bucket": "b", "Key": "k", "IfMatch": "e"},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::b/k")],
    ),
    (("sqs", "SendMessage"), {"QueueUrl": f"http://127.0.0.1:1/{A}/q"}, [("sqs:SendMessage", QUEUE)]),
    (
        ("sqs", "CreateQueue"),
        {"QueueName": "q", "tags": {"a": "b"}},
        [("sqs:CreateQueue", QUEUE), ("sqs:TagQueue", QUEUE)],
    ),
    (
        ("ecs", "DescribeTasks"),
        {"cluster": f"{ARN}cluster/c", "tasks": ["t", f"{ARN}task/c/u"]},
        [("ecs:DescribeTasks", f"{ARN}task/c/{t}") for t in "tu"],
    ),
    (("ecs", "ListTasks"), {}, [("ecs:ListTasks", f"{ARN}container-instance/default/*")]),
    (("rds", "DescribeDBInstances"), {}, [("rds:DescribeDBInstances", f"arn:aws:rds:us-east-1:{A}:db:*")]),
    (
        ("ssm", "GetParameter"),
        {"Name": "/aws/service/a"},
        [("ssm:GetParameter", "arn:aws:ssm:us-east-1::parameter/aws/service/a")],
    ),
    (("ssm", "GetParameter"), {"Name": "own"}, [("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{A}:parameter/own")]),
    (
        ("logs", "PutRetentionPolicy"),
        {"logGroupName": "/g"},
        [("logs:PutRetentionPolicy", f"arn:aws:logs:us-east-1:{A}:log-group:/g:log-stream:")],
    ),
    (("sts", "GetCallerIdentity"), {}, []),
    (("events", "PutEvents"), {"Entries": [{"Source": "s"}]}, [("events:PutEvents", f"{BUS}event-bus/default")]),
    (
        ("events", "PutEvents"),
        {"Entries": [{"EventBusName": "b"}, {"EventBusName": f"{BUS}event-bus/c"}]},
        [("events:PutEvents", f"{BUS}event-bus/{bus}") for bus in "bc"],
    ),
    (("events", "DescribeRule"), {"Name": "r"}, [("events:DescribeRule", f"{BUS}rule/r")]),
    (
        ("events", "PutRule"),
        {"Name": "r", "EventBusName": f"{BUS}event-bus/b", "Tags": [{"Key": "a", "Value": "b"}]},
        [(f"events:{action}", f"{BUS}rule/b/r") for action in ("PutRule", "TagResource")],
    ),
]


@pytest.mark.parametrize(
    ("call", "params", "expected"), EXAMPLES, ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_what_is_asked(call: tuple[str, str], params: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert asked(*call, **params) == expected


def context(service: str, operation: str, **params: Any) -> dict[str, Any]:
    found = requests.requests(Call("key", "eu-west-1", service, operation, params), A)
    assert found
    return dict(found[0].context)


def test_condition_keys() -> None:
    assert context("s3", "ListObjectsV2", Bucket="b", Prefix="p/") == {
        "aws:RequestedRegion": ["eu-west-1"],
        "s3:prefix": ["p/"],
    }
    assert "s3:prefix" not in context("s3", "ListObjectsV2", Bucket="b")
    tags = [{"key": "a", "value": "b"}]
    found = context("ecs", "RunTask", cluster="c", taskDefinition="t", tags=tags)
    assert found["ecs:cluster"] == [f"arn:aws:ecs:eu-west-1:{A}:cluster/c"]
    assert found["aws:RequestTag/a"] == ["b"]
    assert found["aws:TagKeys"] == ["a"]
    boundary = f"arn:aws:iam::{A}:policy/limit"
    assert context("iam", "CreateRole", RoleName="r", PermissionsBoundary=boundary)["iam:PermissionsBoundary"] == [
        boundary
    ]
    assert "iam:PermissionsBoundary" not in context("iam", "CreateRole", RoleName="r")
    assert context("cloudwatch", "PutMetricData", Namespace="n")["cloudwatch:namespace"] == ["n"]


def test_an_unknown_operation_has_no_answer() -> None:
    assert requests.requests(Call("key", "us-east-1", "kms", "CreateKey", {}), A) is None

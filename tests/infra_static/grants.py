"""Who may do what, read from the code: roles, their policies, and the statements of every policy document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from infra_static.configuration import Block, Body, Module, attributes, blocks, modules, nested
from infra_static.evaluation import Evaluator, Ref, text

SHORT = [
    (r"\{var\.project\}-\{var\.environment\}", "{name}"),
    (r"\{[^{}]*data\.aws_caller_identity\.current\.account_id\}", "{account}"),
    (r"\{([\w.]*data\.aws_region\.current\.name|var\.region)\}", "{region}"),
    (r"\{var\.project\}", "{project}"),
    (r"\{var\.environment\}", "{environment}"),
    (r"\{split\(/, \{var\.github_repository\}\)\[0\]\}", "{owner}"),
    (r"\{split\(/, \{var\.github_repository\}\)\[1\]\}", "{repository}"),
    (r"\{\{var\.create_github_provider\} \? \S+ : (\S+)\}", r"\1"),
    (r"\baws_(\w+\.)", r"\1"),
]


def shown(value: Any) -> str:
    """Return a value as the reviewed table writes it."""
    found = text(value)
    for pattern, short in SHORT:
        found = re.sub(pattern, short, found)
    return found


def several(value: Any) -> tuple[str, ...]:
    return tuple(map(shown, value if isinstance(value, list) else list(value) if isinstance(value, dict) else [value]))


class Statement(NamedTuple):
    """One statement of a policy document."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]
    principals: tuple[str, ...]
    others: tuple[str, ...]  # arguments that turn a meaning around: not_actions and the like

    @property
    def row(self) -> dict[str, list[str]]:
        """The statement as a row of the reviewed table."""
        parts = {self.effect.lower(): self.actions, "on": self.resources, "when": self.conditions, "other": self.others}
        return {name: sorted(values) for name, values in parts.items() if values}


def conditions(body: Any, evaluate: Evaluator) -> Iterator[str]:
    for inner, within, certain in nested(body, "condition", evaluate):
        found = {name: within(tree) for name, tree in attributes(inner).items()}
        values = ", ".join(several(found["values"]))
        yield f"{'' if certain else 'perhaps '}{shown(found['variable'])} {shown(found['test'])} {values}"


def principals(body: Any, evaluate: Evaluator) -> Iterator[str]:
    for name in ("principals", "not_principals"):
        for inner, within, _ in nested(body, name, evaluate):
            found = {key: within(tree) for key, tree in attributes(inner).items()}
            sort = shown(found["type"]) if name == "principals" else "* but not"
            yield from (f"{sort} {one}" for one in several(found["identifiers"]))


def statements(document: Block, evaluate: Evaluator) -> list[Statement]:
    """Return the statements of a policy document."""
    found = []
    for body, within, _ in nested(document.body, "statement", evaluate):
        known = {name: within(tree) for name, tree in attributes(body).items()}
        found.append(
            Statement(
                shown(known.get("sid", "")),
                shown(known.get("effect", "Allow")),
                several(known.get("actions", [])),
                several(known.get("resources", [])),
                tuple(conditions(body, within)),
                tuple(principals(body, within)),
                tuple(
                    f"{name} {one}" for name in ("not_actions", "not_resources") for one in several(known.get(name, []))
                ),
            )
        )
    return found


class Document(NamedTuple):
    """A policy document, as one instance of its data source."""

    address: str
    block: Block
    statements: list[Statement]


class Resource(NamedTuple):
    """One instance of a resource, with the arguments that matter here."""

    address: str
    block: Block
    module: Module
    evaluate: Evaluator

    def get(self, name: str) -> Any:
        tree = attributes(self.block.body).get(name)
        return None if tree is None else self.evaluate(tree)


def target(value: Any) -> str:
    """Return the address of the resource that a reference to its name, id, ARN or JSON means."""
    if not isinstance(value, Ref):
        return text(value)
    return re.sub(r"(\[\d+\])?\.(name|id|arn|json)$", "", value.address)


def leaves(body: Body, evaluate: Evaluator) -> Iterator[tuple[str, str]]:
    """Yield every argument of a block and of those inside it, evaluated."""
    for name, tree in attributes(body).items():
        yield name, text(evaluate(tree))
    kinds = {one.labels[0] if one.kind == "dynamic" else one.kind for one in blocks(body, Path())}
    for kind in kinds - {"lifecycle"}:
        for inner, within, _ in nested(body, kind, evaluate):
            yield from leaves(inner, within)


class Account:
    """All code below infra/."""

    def __init__(self, infra: Path) -> None:
        self.infra = infra
        self.modules = modules(infra)
        self.documents = {
            address: Document(address, block, statements(block, evaluate))
            for module in self.modules
            for block in module.of_kind("data", "aws_iam_policy_document")
            for address, evaluate in module.instances(block)
        }

    def resources(self, kind: str = "") -> Iterator[Resource]:
        """Yield every instance of a type of resource, or of all types."""
        for module in self.modules:
            for block in module.of_kind("resource", *([kind] if kind else [])):
                yield from (Resource(address, block, module, each) for address, each in module.instances(block))

    def name(self, resource: Resource) -> str:
        """Return an AWS name without project and environment."""
        return re.sub(r"^\{(name|project)\}-", "", shown(resource.get("name")))

    def document(self, resource: Resource, argument: str = "policy") -> Document | None:
        return self.documents.get(target(resource.get(argument)))

    def policies(self) -> dict[str, list[Statement] | None]:
        """Return the statements of each policy of a role, by its name; None where it is no policy document."""
        found: dict[str, list[Statement] | None] = {}
        for kind in ("aws_iam_policy", "aws_iam_role_policy"):
            for one in self.resources(kind):
                document = self.document(one)
                found[self.name(one)] = document.statements if document else None
        return found

    def roles(self) -> dict[str, dict[str, list[str]]]:
        """Return who may take each role, the names of its policies, and what runs with it."""
        managed = {one.address: self.name(one) for one in self.resources("aws_iam_policy")}
        used = self.users()
        held: dict[str, list[str]] = {}
        for one in self.resources("aws_iam_role_policy"):
            held.setdefault(target(one.get("role")), []).append(self.name(one))
        for one in self.resources("aws_iam_role_policy_attachment"):
            policy = target(one.get("policy_arn"))
            held.setdefault(target(one.get("role")), []).append(managed.get(policy, policy))
        return {
            self.name(role): {
                **self.trust(role),
                "policies": sorted(held.get(role.address, [])),
                "used_by": sorted(used.get(role.address, set())),
            }
            for role in self.resources("aws_iam_role")
        }

    def users(self) -> dict[str, set[str]]:
        """Return what runs with each role, by the role's address."""
        found: dict[str, set[str]] = {}
        for one in self.resources():
            if one.block.labels[0] not in {"aws_iam_role_policy", "aws_iam_role_policy_attachment"}:
                for name, value in leaves(one.block.body, one.evaluate):
                    if name == "role" or name.endswith("role_arn"):
                        found.setdefault(target(Ref(value.strip("{}"))), set()).add(shown(Ref(one.address)).strip("{}"))
        return found

    def trust(self, role: Resource) -> dict[str, list[str]]:
        """Return who may take a role, and when."""
        document = self.document(role, "assume_role_policy")
        found = document.statements if document else []
        if [one.effect for one in found] != ["Allow"]:
            return {"trusts": ["what is no single statement"]}
        parts = {"trusts": sorted(found[0].principals), "when": sorted(found[0].conditions)}
        return {name: values for name, values in parts.items() if values}

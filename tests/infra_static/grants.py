"""Who may do what, read from the code: roles, their policies, and what runs with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from infra_static.configuration import Block, Body, Module, attributes, blocks, modules, nested
from infra_static.documents import Document, Statement, shown, statements
from infra_static.evaluation import Evaluator, Ref, text


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
        for one in list(self.documents.values()):
            self.documents[one.address] = one._replace(statements=[*self.taken_over(one), *one.statements])

    def taken_over(self, document: Document) -> Iterator[Statement]:
        """Yield the statements that a document takes from others of its module."""
        tree = attributes(document.block.body).get("source_policy_documents")
        if tree is not None:
            module = next(one for one in self.modules if document.block in one.blocks)
            for source in module.evaluate(tree):
                yield from self.documents[target(source)].statements

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

    def policies(self) -> dict[str, list[Statement]]:
        """Return the statements of each policy, by its name; that of a bucket, queue or topic by its address."""
        found: dict[str, list[Statement]] = {}
        for one in self.resources():
            if document := self.document(one):
                of_role = one.block.labels[0] in {"aws_iam_policy", "aws_iam_role_policy"}
                found[self.name(one) if of_role else shown(Ref(one.address)).strip("{}")] = document.statements
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

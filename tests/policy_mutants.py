"""Policies that allow more than they should, made from a role's own."""

from __future__ import annotations

from collections.abc import Iterator

from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.decision import Document, Policies


def mutants(found: Policies) -> Iterator[tuple[str, Policies]]:
    """Yield mutated policies: in each, one statement is widened or, if it denies, dropped."""
    for number, document in enumerate(found.own):
        statements = listed(document["Statement"])
        for index, statement in enumerate(statements):
            others = statements[:index] + statements[index + 1 :]
            for name, put in _mutations(statement):
                changed = [*found.own[:number], {**document, "Statement": others + put}, *found.own[number + 1 :]]
                yield f"{statement.get('Sid', number)} {name}", Policies(changed, found.boundary)


def _mutations(statement: Document) -> Iterator[tuple[str, list[Document]]]:
    if statement["Effect"] == "Deny":
        yield "dropped", []
        return
    if statement["Resource"] != "*":
        yield "of every resource", [{**statement, "Resource": "*"}]
    if "Condition" in statement:
        yield "without its condition", [{**statement, "Condition": {}}]

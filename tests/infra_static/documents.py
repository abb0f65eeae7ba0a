"""The statements of a policy document, as the reviewed table writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from infra_static.configuration import Block, attributes, nested
from infra_static.evaluation import Evaluator, text

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
        parts = {
            self.effect.lower(): self.actions,
            "who": self.principals,
            "on": self.resources,
            "when": self.conditions,
            "other": self.others,
        }
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
    for body, within, certain in nested(document.body, "statement", evaluate):
        known = {name: within(tree) for name, tree in attributes(body).items()}
        effect = shown(known.get("effect", "Allow"))
        found.append(
            Statement(
                shown(known.get("sid", "")),
                effect if certain or effect == "Allow" else f"perhaps {effect}",
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

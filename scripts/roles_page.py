"""Write what each role may do into infra/README.md, from the policies that are applied at AWS_ENDPOINT_URL."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from cabstand.local.permissions import applied
from cabstand.local.permissions.conditions import listed

README = Path(__file__).resolve().parents[1] / "infra/README.md"
START, END = "<!-- statements of each role: `make roles-page` -->\n", "<!-- end of the statements -->\n"
HEAD = "| role | statement | actions | on | if |\n|---|---|---|---|---|\n"


def section(iam: Any) -> str:
    """Return one row for each statement that allows or denies a role of the project something."""
    names = sorted(one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("cabstand-"))
    return HEAD + "".join(row for name in names for row in sorted(set(_rows(iam, name))))


def _rows(iam: Any, role: str) -> Iterator[str]:
    statements = [one for document in applied.of_role(iam, role).own for one in listed(document["Statement"])]
    for statement in statements:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", statement["Sid"]).lower()
        purpose = f"never: {words}" if statement["Effect"] == "Deny" else words
        actions = ", ".join(sorted(listed(statement["Action"])))
        negated = "NotResource" in statement
        resources = sorted({_short(one) for one in listed(statement["NotResource" if negated else "Resource"])})
        on = ("all but " if negated else "") + ", ".join(f"`{one}`" for one in resources)
        yield f"| `{role.removeprefix('cabstand-')}` | {purpose} | {actions} | {on} | {_conditions(statement)} |\n"


def _short(resource: str) -> str:
    """Return a resource without account and region, and without the random end of a secret's name."""
    text = re.sub(r"\b\d{12}\b", "ACCOUNT", resource)
    text = re.sub(r"^arn:aws:([a-z0-9-]+):[a-z0-9-]*:(?:ACCOUNT)?:", r"\1:", text)
    return re.sub(r"(:secret:(?:[^!]+!db-[0-9a-f-]{36}|.+))-[A-Za-z0-9]{6}$", lambda one: _stable(one[1]) + "-*", text)


def _stable(secret: str) -> str:
    return re.sub(r"!db-[0-9a-f-]{36}", "!db-*", secret)


def _conditions(statement: Any) -> str:
    return "; ".join(
        f"{key} {operator} {', '.join(sorted(_short(str(one)) for one in listed(values)))}"
        for operator, keys in sorted(statement.get("Condition", {}).items())
        for key, values in sorted(keys.items())
    )


def main() -> None:
    """Replace the section of the page."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    README.write_text(before + START + section(boto3.client("iam")) + END + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

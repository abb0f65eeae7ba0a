"""IAM statements have only the wildcards that are listed with their reasons."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

INFRA = Path(__file__).resolve().parents[2] / "infra"
ACTION = re.compile(r"^[a-z0-9-]+:[A-Za-z*]+$")


class Statement(NamedTuple):
    """One statement of a policy document in the code."""

    key: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    @property
    def is_wide(self) -> bool:
        return self.effect == "Allow" and ("*" in self.resources or any("*" in action for action in self.actions))


def block(text: str, start: int) -> str:
    """Return the text from the bracket at `start` to the one that closes it."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return text[start : index + 1]
    raise AssertionError("unbalanced brackets")


def expression(body: str, name: str) -> str:
    """Return the expression that an argument of a block is set to."""
    found = re.search(rf"^\s*{name}\s*=\s*(\w*)(?=[\[(])", body, re.MULTILINE)
    return block(body, found.end()) if found else ""


def statements(file: Path, base: Path = INFRA) -> list[Statement]:
    """Return the statements of every policy document in a file."""
    text = re.sub(r"^\s*#.*$", "", file.read_text(), flags=re.MULTILINE)
    found = []
    for document in re.finditer(r'^data "aws_iam_policy_document" "\w+" (?=\{)', text, re.MULTILINE):
        body = block(text, document.end())
        for start in re.finditer(r"(?:\bstatement|\bcontent) (?=\{)", body):
            one = block(body, start.end())
            if "actions" not in one:  # the content of a dynamic condition
                continue
            sid = re.search(r'sid\s*=\s*"(\w+)"', one)
            effect = re.search(r'effect\s*=\s*"(\w+)"', one)
            actions = tuple(re.findall(r'"([^"]*)"', expression(one, "actions")))
            assert actions, f"{file}: a statement without literal actions"
            found.append(
                Statement(
                    f"{file.relative_to(base)} {sid[1] if sid else 'trust'}",
                    effect[1] if effect else "Allow",
                    actions,
                    tuple(re.findall(r'"([^"]*)"', expression(one, "resources"))),
                )
            )
    return found


def every_statement() -> list[Statement]:
    return [one for file in sorted(INFRA.rglob("*.tf")) if ".terraform" not in file.parts for one in statements(file)]


def test_every_statement_is_read() -> None:
    found = every_statement()
    assert len(found) > 50
    assert all(ACTION.match(action) for one in found for action in one.actions)
    code = "".join(file.read_text() for file in INFRA.rglob("*.tf") if ".terraform" not in file.parts)
    assert "Statement" not in code.replace("jsonencode", ""), "a policy outside a policy document would not be checked"
    assert "iam::aws:policy" not in code, "AWS's managed policies are wider than what is needed"


def test_each_wildcard_is_listed_with_its_reason() -> None:
    listed = tomllib.loads((INFRA / "iam_wildcards.toml").read_text())
    assert {one.key for one in every_statement() if one.is_wide} == set(listed)
    assert all(len(reason) > 30 for reason in listed.values())


def test_a_new_wildcard_is_found(tmp_path: Path) -> None:
    file = INFRA / "modules/batch/execution_role.tf"
    mutated = file.read_text().replace("[var.image.repository_arn]", '["*"]')
    assert mutated != file.read_text()
    copy = tmp_path / "execution_role.tf"
    copy.write_text(mutated)
    assert [one.is_wide for one in statements(copy, tmp_path)] == [True, True, False]


def test_no_statement_lets_everything_be_done() -> None:
    for one in every_statement():
        if one.effect == "Allow":
            assert "*" not in one.actions
            assert not [action for action in one.actions if action.endswith(":*")], one.key


def test_roles_are_passed_by_name_and_to_named_services() -> None:
    code = {file: file.read_text() for file in INFRA.rglob("*.tf") if ".terraform" not in file.parts}
    for file, text in code.items():
        allowed = [one for one in statements(file) if "iam:PassRole" in one.actions and one.effect == "Allow"]
        assert text.count("iam:PassedToService") == len(allowed), file
        assert all("*" not in one.resources for one in allowed), file

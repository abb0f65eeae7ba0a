"""The table of formats in docs/formats.md has every versioned format of the code, with its version."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/cabstand"
NAME = re.compile(r"_?([A-Z]+_)?SCHEMA(_VERSION)?|MANIFEST_VERSION|schema_version")
ROW = re.compile(r"^\| [^|]+ \| `([^`]+)` \| (\d+) \| [^|]+ \|$", re.MULTILINE)


def constants(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the names and values of the version constants of a module, and of its classes' fields."""
    module = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    for node in ast.parse(file.read_text()).body:
        owner, body = (f"{node.name}.", node.body) if isinstance(node, ast.ClassDef) else ("", [node])
        for one in body:
            target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
            value = getattr(one, "value", None)
            if isinstance(target, ast.Name) and NAME.fullmatch(target.id) and isinstance(value, ast.Constant):
                yield f"{module}.{owner}{target.id}", value.value


def test_every_format_is_listed_with_its_version() -> None:
    listed = {name: int(version) for name, version in ROW.findall((ROOT / "docs/formats.md").read_text())}
    found = {}
    for file in SOURCE.rglob("*.py"):
        own = dict(constants(file))
        found |= own
        literal = re.search(r"schema_version\"\s*:\s*b?\"?(\d)", file.read_text())
        if literal and not own:
            found[str(file.relative_to(SOURCE))] = int(literal[1])
    assert listed == found

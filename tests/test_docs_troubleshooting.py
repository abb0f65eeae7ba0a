"""docs/troubleshooting.md quotes messages that the code still has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def texts() -> Iterator[str]:
    """Yield every text of the source, also the parts of texts with values in them."""
    for file in (ROOT / "src/cabstand").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_message_is_in_the_source() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| [^|]* \| [^|]+ \|$", page, re.MULTILINE)
    quoted = [quote for row in rows for quote in re.findall(r"`([^`]+)`", row)]
    source = "\n".join(texts())
    assert len(quoted) >= 30
    for quote in quoted:
        for part in filter(None, (part.strip(" ():") for part in re.sub(r'[{}"]', " ", quote).split("…"))):
            for words in part.split(" ("):
                assert words.removesuffix(": true").strip() in source, f"{quote!r}: no message has {words!r}"

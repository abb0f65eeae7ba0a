"""The commands in the documentation: those of fenced `sh` blocks, and those named in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "commands.md"),
    *sorted((ROOT / "infra").glob("*.md")),
]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAMS = re.compile(r"(?:\S*/)?(?:cabstand|make|python|pip|curl|aws|terraform|podman|docker|git)\b ?")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each fenced block."""
    yield from FENCE.findall(page.read_text(encoding="utf-8"))


def commands(page: Path) -> Iterator[str]:
    """Yield the commands of the `sh` blocks, without comments, each on one line."""
    for language, text in blocks(page):
        if language == "sh":
            for line in re.sub(r"\\\n\s*", "", text).splitlines():
                if command := re.sub(r"(^|\s+)#\s.*$", "", line).strip():
                    yield command


def mentions(page: Path) -> Iterator[str]:
    """Yield what is said of `cabstand`: commands, and calls of it in running text."""
    text = page.read_text(encoding="utf-8")
    yield from (one for one in re.findall(r"`(cabstand [^`\n]+)`", FENCE.sub("", text)))
    for command in commands(page):
        yield from re.findall(r"cabstand [^|;&)]+", command)

"""`make` alone lists the targets, and the documentation names only targets that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_target_has_one_line_of_help() -> None:
    text = (ROOT / "Makefile").read_text()
    listed = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    for target in re.findall(r"^\.PHONY: (.+)$", text, re.M):
        for name in target.split():
            assert re.search(rf"^  {name} +\S", listed, re.M), f"`make` does not print {name}"


def test_every_command_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"^\s*make ([a-z][a-z-]*)", page.read_text(), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name} names `make {target}`"

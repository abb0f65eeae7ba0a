"""`make` alone lists the targets, and the documentation names only targets that exist."""

from __future__ import annotations

import os
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
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"^\s*make ([a-z][a-z-]*)", page.read_text(), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name} names `make {target}`"


def test_what_a_person_writes_for_a_task_is_not_executed(tmp_path: Path) -> None:
    # GitHub hands it over as text from a form; make and the shell must leave it as it is.
    written = "--repeats 3 $(touch bad) `touch bad` ; $HOME *"
    program = tmp_path / "cabstand"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "installed").touch()
    words = [f"CABSTAND={program}", f"RUN={tmp_path / 'installed'}", "ENV=dev", "LIMIT_S=60"]
    env = os.environ | {"TASK": "compare", "ARGUMENTS": written}
    line = ["make", "-s", "-C", str(ROOT), "-o", str(tmp_path / "installed"), "run-task", *words]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    start = ["run-task", "compare", "--environment", "dev", "--limit-s", "60", "--"]
    assert done.stdout.splitlines() == [*start, *written.split()]
    assert not (ROOT / "bad").exists()

"""The page about one's own problem, done exactly as it is written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-problem.md"


@pytest.mark.integration
def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = PAGE.read_text()
    for name, code in re.findall(r"```python (\S+)\n(.*?)```", text, flags=re.DOTALL):
        (tmp_path / name).write_text(code)
    [commands] = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answers = []
    for line in commands.strip().splitlines():
        done = subprocess.run(
            shlex.split(line),
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        answers.append(done.stdout.strip().splitlines()[-1:] or [""])
    trained, promoted, predicted = (json.loads(answer[0]) for answer in answers[1:])
    assert trained["metrics"]["mae"] < 1
    assert promoted["decision"] == "promoted"
    [answer] = predicted["answers"]
    assert answer["low"] < 8.8 < answer["high"]
    assert answer["point"] == pytest.approx(8.8, abs=1)

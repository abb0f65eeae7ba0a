"""The page about one's own problem, done exactly as it is written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-problem.md"
METADATA = "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n"


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


def test_another_package_makes_its_problem_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cabstand: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Laid out as pip installs it: a package, and beside it the metadata with the entry point that the page shows."""
    text = PAGE.read_text()
    code = dict(re.findall(r"```python (\S+)\n(.*?)```", text, flags=re.DOTALL))
    [(group, entry)] = re.findall(r'`\[project\.entry-points\."(\S+)"\]`, `(.+?)`', text)
    name, target = (part.strip(' "') for part in entry.split("=", 1))
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "tips.py").write_text(code["tips.py"])
    told = site / "my_package-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(METADATA)
    (told / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    (tmp_path / "tips_data.py").write_text(code["tips_data.py"])
    subprocess.run([sys.executable, "tips_data.py"], cwd=tmp_path, check=True)
    monkeypatch.setenv("PYTHONPATH", str(site))
    trained = cabstand("train", "--problem", name, "--input", "tips.csv", "--no-track")
    assert trained.returncode == 0, trained.stderr
    assert cabstand("promote", "--problem", name, "--no-track").returncode == 0
    asked = cabstand("models", "predict", "--problem", name, "--row", '{"fare_usd": 40, "hour": 20}')
    assert json.loads(asked.stdout)["answers"][0]["point"] == pytest.approx(8.8, abs=1)

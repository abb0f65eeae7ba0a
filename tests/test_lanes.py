"""Every test runs in exactly one lane: a pytest command of a make target that `.ci/run` calls, or a benchmark's."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ci_lanes import SCRIPT, ci_targets

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
# These repeat tests of `make test` on another Python.
REPEATS = {"test-python"}
COLLECT = """
import json, pathlib, sys
import pytest

class Marks:
    def pytest_collection_finish(self, session):
        marks = {item.nodeid: [mark.name for mark in item.iter_markers()] for item in session.items}
        pathlib.Path(sys.argv[1]).write_text(json.dumps(marks))

sys.exit(pytest.main(["--collect-only", "--quiet", "-p", "no:cacheprovider", "tests"], plugins=[Marks()]))
"""


class Lane(NamedTuple):
    """One pytest command."""

    target: str
    expression: str
    paths: tuple[str, ...]

    def selects(self, test: str, marks: list[str]) -> bool:
        file = test.partition("::")[0]
        inside = any(file == path or file.startswith(f"{path.rstrip('/')}/") for path in self.paths)
        names = {name: name in marks for name in re.findall(r"\w+", self.expression)}
        return inside and eval(self.expression, {}, names)


def commands(target: str) -> Iterator[Lane]:
    """Yield the pytest commands of a target's recipe and of the scripts that it calls."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "SLOW"))}
    recipe = subprocess.run(
        ["make", "-n", target], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout
    scripts = sorted(set(re.findall(r"\bscripts/[\w-]+", recipe)))
    for text in [recipe, *((ROOT / script).read_text() for script in scripts)]:
        for command in re.findall(r"-m pytest\b(.*?)(?:&&|$)", text, re.M):
            words = shlex.split(command)
            assert "-k" not in words, f"make {target} selects tests by name"
            expression = words[words.index("-m") + 1] if "-m" in words else "True"
            yield Lane(target, expression, tuple(w for w in words if re.match(r"tests\b", w)) or ("tests",))


@pytest.fixture(scope="module")
def lanes() -> list[Lane]:
    benchmarks = re.findall(r"^(bench[a-z-]*):", MAKEFILE, re.M)
    targets = [target for target in ci_targets() if target not in REPEATS]
    return [lane for target in targets + benchmarks for lane in commands(target)]


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Every test with the names of its marks."""
    out = tmp_path_factory.mktemp("collected") / "marks.json"
    done = subprocess.run([sys.executable, "-c", COLLECT, out], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    marks: dict[str, list[str]] = json.loads(out.read_text())
    return marks


def test_every_test_is_in_one_lane(tests: dict[str, list[str]], lanes: list[Lane]) -> None:
    found = {test: [lane.target for lane in lanes if lane.selects(test, marks)] for test, marks in tests.items()}
    assert len(found) > 1000
    assert {test: targets for test, targets in found.items() if len(targets) != 1} == {}


def test_a_folder_of_a_lane_holds_no_other_tests(tests: dict[str, list[str]], lanes: list[Lane]) -> None:
    folders = [lane for lane in lanes if lane.paths != ("tests",) and (ROOT / lane.paths[0]).is_dir()]
    assert {path for lane in folders for path in lane.paths} == {
        "tests/cloud", "tests/containers", "tests/lambda_function", "tests/extras", "tests/prometheus",
        "tests/story",
    }  # fmt: skip
    for lane in folders:
        inside = lane._replace(expression="True")
        assert [test for test, marks in tests.items() if inside.selects(test, marks) != lane.selects(test, marks)] == []


def test_ci_calls_targets_that_exist() -> None:
    assert [target for target in ci_targets() if not re.search(rf"^{target}:", MAKEFILE, re.M)] == []


def run_ci(tmp_path: Path, failing: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script with a `make` that says its target and fails at `failing`."""
    (tmp_path / "make").write_text(f'#!/bin/sh\necho "made $1"\ntest "$1" != "{failing}"\n')
    (tmp_path / "make").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TF_PLUGIN_DIR": str(tmp_path)}
    return subprocess.run([SCRIPT], env=env, capture_output=True, text=True, check=False, timeout=60)


def test_ci_runs_every_lane_and_ends_with_the_fast_tests(tmp_path: Path) -> None:
    done = run_ci(tmp_path)
    made = re.findall(r"^made (.+)", done.stdout, re.M)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(made) == sorted(ci_targets())
    assert made[-1] == "test", "its closing line comes last"


@pytest.mark.parametrize("failing", ci_targets())
def test_ci_fails_with_each_lane_and_shows_it(failing: str, tmp_path: Path) -> None:
    done = run_ci(tmp_path, failing)
    assert done.returncode != 0
    assert f"made {failing}\n" in done.stdout


def test_the_table_of_lanes_is_complete() -> None:
    page = (ROOT / "docs/honesty.md").read_text()
    named = set(re.findall(r"^\|.*?`make ([a-z-]+)", page, re.M))
    assert set(ci_targets()) - {"setup", "programs"} <= named

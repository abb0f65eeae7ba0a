"""Each fault in mutants.toml turns its check red, and each check passes on the code as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from cabstand.local.stack.terraform import DECLARED
from infra_static.rules import faults

pytestmark = pytest.mark.mutants
ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("INFRA_VENV", ROOT / ".venv-infra"))
MUTANTS = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text())["mutant"]


def folder_of(mutant: dict[str, str]) -> str:
    """Return the folder that checkov reads; the other checks read all."""
    return Path(mutant["file"]).parent.as_posix() if mutant["check"].startswith("checkov") else "."


CHECKS = sorted({(one["check"], folder_of(one)) for one in MUTANTS})


class Result(NamedTuple):
    """What a check answered."""

    passed: bool
    output: str


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Terraform's data for infra/: the provider and the list of modules, which every copy shares."""
    folder = tmp_path_factory.mktemp("terraform")
    plugins = [f"-plugin-dir={os.environ['TF_PLUGIN_DIR']}"] if os.environ.get("TF_PLUGIN_DIR") else []
    answer = run(
        ["terraform", "init", "-input=false", "-backend=false", "-lockfile=readonly", *plugins], ROOT / "infra", folder
    )
    assert answer.passed, answer.output
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of infra/, beside the files outside it that the code reads."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform"))
    for name in ("requirements/mlflow.txt", *DECLARED):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path / "infra"


def run(command: list[str], folder: Path, data: Path) -> Result:
    environment = {**os.environ, "TF_DATA_DIR": str(data), "TF_IN_AUTOMATION": "1", "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Result(done.returncode == 0, " ".join((done.stdout + done.stderr).split()))


def answer_of(check: str, infra: Path, part: str, data: Path) -> Result:
    """Run one check on a copy."""
    kind, _, name = check.partition(" ")
    if kind == "static":
        found = faults(infra)
        return Result(not found, "\n".join(found))
    if kind == "test":
        return run(["terraform", "test", "-no-color", f"-filter=tests/{name}.tftest.hcl"], infra, data)
    assert kind == "checkov", f"{check}: no such check"
    options = ["--framework", "terraform", "--skip-download", "--compact", "--quiet", "--check", name]
    return run([str(VENV / "bin/checkov"), "--directory", part, *options], infra, data)


@pytest.mark.parametrize(("check", "part"), CHECKS)
def test_the_code_as_it_is_passes(check: str, part: str, tree: Path, initialised: Path) -> None:
    answer = answer_of(check, tree, part, initialised)
    assert answer.passed, answer.output


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant["name"])
def test_a_mutant_is_noticed(mutant: dict[str, str], tree: Path, initialised: Path) -> None:
    file = tree / mutant["file"]
    code = file.read_text()
    assert mutant["old"] in code, f"{mutant['file']} no longer has this text: {mutant['old']}"
    file.write_text(code.replace(mutant["old"], mutant["new"]))
    answer = answer_of(mutant["check"], tree, folder_of(mutant), initialised)
    assert not answer.passed, f"{mutant['check']} passes: {mutant['name']}"
    assert mutant["says"] in answer.output


def test_there_are_enough_and_each_has_its_name() -> None:
    assert len({one["name"] for one in MUTANTS}) == len(MUTANTS) >= 14

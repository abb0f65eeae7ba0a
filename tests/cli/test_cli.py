"""Conventions of the command line: results, hints, help, generated documentation, completion."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cabstand import __version__, cli
from cabstand.errors import DataError, suggest
from conftest import Run


def test_a_result_is_one_json_line(cabstand: Run) -> None:
    done = cabstand("version")
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["cabstand"]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_library_logs_stay_hidden(cabstand: Run, bucket: str, level: str) -> None:
    import boto3

    arn = boto3.client("secretsmanager").create_secret(Name=f"{bucket}-{level}")["ARN"]
    done = cabstand("keys", "list", CABSTAND_API_KEYS_SECRET=arn, CABSTAND_LOG_LEVEL=level)
    assert done.returncode == 0
    assert "botocore" not in done.stderr


@pytest.mark.parametrize(
    ("words", "hint"), [(["confg"], "config"), (["config", "shw"], "show"), (["config", "show", "--jsn"], "--json")]
)
def test_a_mistyped_word_gets_a_hint(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert hint in message


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    def walk(command: object, path: list[str]) -> None:
        assert getattr(command, "help", None), f"no help: {path}"
        for parameter in getattr(command, "params", []):
            if parameter.name != "help":
                assert getattr(parameter, "help", None), f"no help: {path} {parameter.name}"
        for name, sub in getattr(command, "commands", {}).items():
            walk(sub, [*path, name])

    walk(typer.main.get_command(cli.app), ["cabstand"])
    assert cli.run(["--help"]) == 0
    assert "config" in capsys.readouterr().out


def test_help_groups_commands_and_ends_with_the_account(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    titles = re.findall(r"─ ([A-Z][A-Za-z ]+) ─", capsys.readouterr().out)
    assert titles == ["Options", *cli.PANELS]
    assert titles[-1] == "The AWS account"


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, (*words, name))


@pytest.mark.parametrize("words", [*_commands(typer.main.get_command(cli.app))], ids=" ".join)
def test_no_help_is_cut_at_80_columns(words: tuple[str, ...]) -> None:
    shown = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).invoke(cli.app, [*words, "--help"]).stdout
    assert "Usage: " in shown
    assert not [line for line in shown.splitlines() if "…" in line or len(line) > 80]


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"cabstand {__version__}\n"


def test_a_misspelt_variable_is_warned_of_once(cabstand: Run) -> None:
    done = cabstand("config", "show", "--json", CABSTAND_GATE_MIN_GIAN="0.1", CABSTAND_HOME="home")
    assert done.returncode == 0
    [line] = [one for one in done.stderr.splitlines() if "is not a setting" in one]
    assert "CABSTAND_GATE_MIN_GIAN" in line
    assert "did you mean CABSTAND_GATE_MIN_GAIN?" in line


def test_suggest() -> None:
    assert "yellow" in suggest("yelow", ["yellow", "green"])
    assert "known" in suggest("zzz", ["yellow", "green"])


def test_errors_can_be_pickled() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(DataError("no rows", where="x.csv", hint="look")))
    assert str(error) == "x.csv: no rows (look)"


def test_the_commands_page_is_up_to_date(tmp_path: Path) -> None:
    fresh = tmp_path / "commands.md"
    arguments = ["cabstand.cli", "utils", "docs", "--name", "cabstand", "--title", "Commands", "--output", str(fresh)]
    subprocess.run([sys.executable, "-m", "typer", *arguments], check=True, capture_output=True)
    page = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
    assert page.read_text() == fresh.read_text(), "docs/commands.md is out of date (make docs)"


def test_completion_completes(cabstand: Run) -> None:
    done = cabstand(_CABSTAND_COMPLETE="complete_bash", COMP_WORDS="cabstand swe", COMP_CWORD="1")
    assert done.stdout.split() == ["sweep"]

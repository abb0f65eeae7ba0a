"""The file of workflows: what it declares exists, and a mistake in it is one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cabstand import cli
from cabstand.errors import ConfigError
from cabstand.local.clock.expressions import parse
from cabstand.workflows import definitions

STEP = {"name": "one", "job": "compare", "timeout_min": 5}
ONE = {"description": "x", "schedule": "rate(1 day)", "task": "compare", "steps": [STEP]}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"workflows": {"daily": ONE | changes}}, sort_keys=False))
    return path


def test_the_products_workflows_are_there() -> None:
    assert definitions.load().keys() == {"daily-comparison", "weekly-sweep", "monthly-pipeline", "daily-monitor"}


@pytest.mark.parametrize("name", definitions.load())
def test_every_step_is_a_command_with_options_that_it_knows(name: str) -> None:
    found = definitions.find(name)
    parse(found.schedule, "UTC")
    known = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    for step in found.steps:
        group, *command = step.job.split()
        job = known[group].commands[command[0]] if command else known[group]
        words = step.words[1 + len(command) :]
        given = [*words, "--dataset", "green"] if group == "pipeline" else words
        assert job.make_context(group, given).params  # parses, and runs nothing


def test_the_tasks_options_go_to_its_own_steps(tmp_path: Path) -> None:
    other = STEP | {
        "name": "two",
        "job": "report",
        "with": {"publish": True, "sweep": ["a", "b"], "seed": 1, "x": False},
    }
    path = written(tmp_path, steps=[STEP, other])
    assert definitions.find("daily", path).commands(["--input", "newest:green"]) == {
        "one": ["compare", "--input", "newest:green"],
        "two": ["report", "--publish", "--sweep", "a", "--sweep", "b", "--seed", "1", "--no-x"],
    }


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"shedule": "x"}, "own.yaml: workflows.daily.shedule: unknown key (did you mean schedule?)"),
        ({"steps": [STEP | {"timeout": 5}]}, "workflows.daily.steps.0.timeout: unknown key (did you"),
        ({"steps": [STEP | {"options": {}}]}, "workflows.daily.steps.0.options: unknown key"),
        ({"steps": []}, "workflows.daily.steps: list should have at least 1 item"),
        ({"steps": [STEP, STEP]}, "workflows.daily.steps: value error, step one is named twice"),
        ({"steps": [STEP | {"attempts": 0}]}, "workflows.daily.steps.0.attempts: input should be greater than"),
        ({"steps": [STEP | {"timeout_min": "5"}]}, "workflows.daily.steps.0.timeout_min: input should be"),
        ({"steps": [STEP | {"job": "rm -rf"}]}, "workflows.daily.steps.0.job: string should match pattern"),
        ({"task": None}, "workflows.daily.task: input should be a valid string"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    changes: dict[str, Any], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["workflow", "list", "--file", str(written(tmp_path, **changes))]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", "workflows: {", "workflows: {}", "\x00", "workflows: {daily: 5}"])
def test_what_is_no_file_of_workflows_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        definitions.load(path)
    with pytest.raises(ConfigError, match="no readable file"):
        definitions.load(tmp_path / "none.yaml")


def test_an_unknown_workflow_has_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["workflow", "run", "daily-comparson"]) == 2
    assert "no workflow 'daily-comparson' (did you mean daily-comparison" in capsys.readouterr().err


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True), st.booleans() | st.integers() | WORDS))
def test_options_become_words_in_their_order(options: dict[str, Any]) -> None:
    words = definitions.Step.model_validate(STEP | {"with": options}).words
    names = [word for word in words[1:] if word.removeprefix("--no-").removeprefix("--") in options]
    assert words[0] == "compare"
    assert len(words) == 1 + sum(1 if isinstance(value, bool) else 2 for value in options.values())
    assert len(names) >= len(options)


def test_the_monitor_has_nothing_to_do_before_the_first_champion(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--predictions", "yesterday"], []):
        assert cli.run(["monitor", *words, "--no-track"]) == 0
        assert "no champion yet" in capsys.readouterr().out
    assert cli.run(["monitor", "--predictions", "tomorrow", "--no-track"]) == 2
    assert "both days included, or yesterday" in capsys.readouterr().err

"""`cabstand cost`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cabstand import cli

EXAMPLE = Path(__file__).parent / "example/plan.json"


def test_the_table_and_the_result(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.run(["cost", str(EXAMPLE), "--limit", "40", "--asleep-limit", "9"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out.splitlines()[-1])
    assert 30 < result["idle_usd_month"] < 40
    assert 5 < result["asleep_usd_month"] < 9
    assert "aws_instance.server" in printed.err
    assert "cluster-multicore" in printed.err


def test_over_the_limit_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cost", str(EXAMPLE), "--limit", "30"]) == 1
    assert "over 30.0" in capsys.readouterr().err.splitlines()[-1]
    assert cli.run(["cost", str(EXAMPLE), "--asleep-limit", "1"]) == 1


def test_a_limit_cannot_be_kept_blindly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(EXAMPLE.read_text())
    extra = {"address": "aws_emr_cluster.x", "mode": "managed", "type": "aws_emr_cluster", "values": {}}
    plan["planned_values"]["root_module"]["resources"].append(extra)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    assert cli.run(["cost", str(path)]) == 0
    assert cli.run(["cost", str(path), "--limit", "1000"]) == 1
    assert "aws_emr_cluster.x" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"a": 1}'])
def test_not_a_plan_is_exit_2(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    assert cli.run(["cost", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1

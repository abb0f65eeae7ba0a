"""Manifests of runs that are not as they must be: refused with the place, and in the way of no other run."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import DataError
from cabstand.io import run_manifest, runs
from cabstand.io.journal import Journal
from journals import write_run

WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another version": (lambda m: m.update(schema_version=2), "the manifest of another version: schema_version"),
    "a key that leaves the folder": (lambda m: m.update(run_key="../../up-1"), "run_key"),
    "no steps": (lambda m: m.pop("steps"), "steps: Field required"),
    "steps as a list": (lambda m: m.update(steps=[]), "steps"),
    "a status that there is not": (lambda m: m["steps"]["only"].update(status="odd"), "steps.only.status"),
    "a time without a zone": (lambda m: m["steps"]["only"].update(started="2026-01-02T03:04:05"), "steps.only.started"),
    "no time at all": (lambda m: m["steps"]["only"].update(ended="soon"), "steps.only.ended"),
    "attempts as text": (lambda m: m["steps"]["only"].update(attempts="1"), "steps.only.attempts"),
    "memory as text": (lambda m: m["steps"]["only"].update(peak_rss_mb="much"), "steps.only.peak_rss_mb"),
    "done without a result": (lambda m: m["steps"]["only"].pop("result"), "done, without a result"),
    "an input without a hash": (lambda m: m["steps"]["only"].update(inputs=[{"uri": "x"}]), "steps.only.inputs.0"),
    "a span without times": (lambda m: m["steps"]["only"].update(spans=[{"name": "x"}]), "steps.only.spans.0"),
    "an owner of another shape": (lambda m: m.update(owner="me"), "owner"),
}


@pytest.mark.parametrize(("spoil", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_is_refused_with_the_place_and_hides_no_other(
    spoil: Callable[[dict[str, Any]], object], told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = write_run(tmp_path, "daily-monitor", 1)
    wrong = copy.deepcopy(write_run(tmp_path, "daily-monitor", 2))
    key = wrong["run_key"]
    spoil(wrong)
    path = tmp_path / "runs" / key / "manifest.json"
    path.write_text(json.dumps(wrong))
    with caplog.at_level(logging.WARNING):
        assert [one.key for one in runs.listed(str(tmp_path))] == [good["run_key"]]
    assert told in caplog.text
    with pytest.raises(DataError, match="manifest") as refused:
        runs.find(str(tmp_path), key)
    assert told in str(refused.value)
    with pytest.raises(DataError, match="manifest"):
        Journal.open(str(path.parent), key, {})


def test_a_manifest_in_the_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "daily-monitor", 1)
    [folder] = (tmp_path / "runs").iterdir()
    folder.rename(tmp_path / "runs/daily-monitor-2")
    assert runs.listed(str(tmp_path)) == []
    with pytest.raises(DataError, match="in another's folder"):
        runs.find(str(tmp_path), "daily-monitor-2")


def test_what_this_version_does_not_know_stays(tmp_path: Path) -> None:
    written = write_run(tmp_path, "daily-monitor") | {"later": {"a": 1}}
    assert run_manifest.parse(json.dumps(written).encode(), "x") == written

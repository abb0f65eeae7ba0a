"""The pipeline: killed after each step's work and before it is on record, it ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bundles
import fast_problem
from cabstand.errors import ConfigError, DataError
from cabstand.io import storage
from cabstand.io.journal import Journal
from cabstand.jobs import pipeline, promote, synth
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.modelling import catalog
from cabstand.settings import load
from cabstand.trips.synthetic.generator import Plan

CHILD = """
import os, signal, sys
from cabstand.jobs import pipeline, synth
from cabstand.settings import load
from cabstand.trips.synthetic.generator import Plan

kill_at, problem = int(sys.argv[1]), sys.argv[2]
settings = load()
if not (settings.home / "lake").exists():
    synth.run(settings, synth.Params(Plan(trips=4000, era="zones", month="2024-01")))


def dying(step):
    def work(*args):
        step(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    return work


if kill_at >= 0:
    name = list(pipeline.STEPS)[kill_at]
    pipeline.STEPS[name] = dying(pipeline.STEPS[name])
pipeline.run(settings, pipeline.Params("synth", ("2024-01",), problem=problem, min_samples=40, track=False))
"""


def run(home: Path, problem: Path, kill_at: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(kill_at), str(problem)],
        env=os.environ | {"CABSTAND_HOME": str(home)},
        cwd=problem.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr[-2_000:]
    return done.returncode


def state(home: Path) -> dict[str, Any]:
    """All that is left, without what names the moment or the place."""
    artifacts = home / "artifacts" / "trip-duration-fast"
    told = json.loads((artifacts / "pointer.json").read_text())
    found: dict[str, Any] = {"pointer": {k: v for k, v in told.items() if k not in {"write_id", "when"}}}
    for path in sorted(artifacts.glob("bundles/*/manifest.json")):
        manifest = json.loads(path.read_text())
        found[path.parent.name] = {k: v for k, v in manifest.items() if k not in {"created", "data"}}
    found["holdouts"] = sorted(path.name for path in artifacts.glob("holdouts/*"))
    found["hotspots"] = sorted(path.name for path in (home / "lake" / "hotspots").iterdir())
    found["left over"] = sorted(path.name for path in home.rglob(".part-*"))
    return found


@pytest.mark.slow
def test_killed_at_each_step_it_ends_in_the_same_state(tmp_path: Path) -> None:
    problem = tmp_path / "fast.py"
    problem.write_text(Path(fast_problem.__file__).read_text())
    assert run(tmp_path / "whole", problem, -1) == 0
    for step in range(len(pipeline.STEPS)):
        assert run(tmp_path / "killed", problem, step) == -signal.SIGKILL
    assert run(tmp_path / "killed", problem, -1) == 0
    assert state(tmp_path / "killed") == state(tmp_path / "whole")
    [place] = (tmp_path / "killed" / "lake" / "runs").iterdir()
    [record] = map(json.loads, (path.read_text() for path in tmp_path.glob("killed/artifacts/*/decisions/*.json")))
    written = json.loads((tmp_path / "killed" / "artifacts" / "trip-duration-fast" / "pointer.json").read_text())
    assert record["decision"] == "promoted"
    assert {name: record[name] for name in ("write_id", "champion", "sequence")}.items() <= written.items()
    manifest = json.loads((place / "manifest.json").read_text())
    assert {name: step["attempts"] for name, step in manifest["steps"].items()} == dict.fromkeys(
        ("ingest", "cluster", "train", "gate", "publish", "report"), 2
    )
    events = [json.loads(line)["event"] for line in (place / "audit.jsonl").read_text().splitlines()]
    assert events.count("done") == len(pipeline.STEPS)


def test_what_is_published_is_recorded_once_and_as_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, params = load(), pipeline.Params("synth", ("2024-01",), track=False)
    training = bundles.holdout(settings.artifacts_uri)
    for version, bias in {"v1": 10.35, "v2": 10.2, "v3": 10.0}.items():
        bundles.small_bundle(settings.artifacts_uri, "housing", version, bias=bias, training=training)

    def gate(version: str) -> dict[str, Any]:
        judged = judging.judge(settings, catalog.find("housing"), version)
        return {"gate": deciding.result(judged, judged.verdict.passed, judged.pointer)}

    def publish(done: dict[str, Any]) -> dict[str, Any]:
        return pipeline.STEPS["publish"](settings, params, done)

    def records_of(version: str) -> list[tuple[str, str, int]]:
        uris = storage.list_under(storage.join(settings.artifacts_uri, "housing", "decisions"))
        found = [json.loads(storage.read(uri)) for uri in uris]
        return [(one["decision"], one["champion"], one["sequence"]) for one in found if one["version"] == version]

    def killed(*args: object) -> str:
        raise KeyboardInterrupt

    first, late = gate("v1"), gate("v2")
    with monkeypatch.context() as patch:
        patch.setattr(records, "write_change", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(first)
    for _ in range(2):
        assert publish(first)["decision"] == "promoted"
    assert records_of("v1") == [("promoted", "v1", 1)]
    assert publish(late)["decision"] == "refused"
    assert records_of("v2") == [("refused", "v1", 1)]
    promote.run(settings, promote.Params("housing", "v3", share=0.1, track=False))
    for _ in range(2):  # resumed after a rival changed the pointer: first a challenger, then a champion
        resumed = publish(first)
        assert (resumed["decision"], resumed["record_uri"]) == ("promoted", None)
        rival = promote.run(settings, promote.Params("housing", "v2", track=False))
    assert rival["champion"] == "v2"
    assert (records_of("v1"), records_of("v3")) == ([("promoted", "v1", 1)], [("promoted", "v1", 2)])


def test_a_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    place, calls = str(tmp_path / "run"), []
    journal = Journal.open(place, "k", {})
    journal.run("one", lambda: calls.append(1) or {"n": 1})

    def fails() -> dict[str, Any]:
        raise DataError("bad", where="x")

    with pytest.raises(DataError):
        journal.run("two", fails)
    again = Journal.open(place, "k", {})
    again.run("one", lambda: calls.append(2) or {"n": 2})
    again.run("two", lambda: {"n": 2})
    assert calls == [1]
    assert again.results == {"one": {"n": 1}, "two": {"n": 2}}
    assert [line["event"] for line in again.audit] == [
        "started",
        "done",
        "started",
        "failed",
        "found done",
        "started",
        "done",
    ]
    assert Journal.open(place, "k", {}, fresh=True).results == {}
    with pytest.raises(DataError, match="another run"):
        Journal.open(place, "other", {})


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"months": (), "holdout_months": ("2023-02",)}, "no month"),
        ({"months": (), "sources": ("x",)}, "no month"),
        ({"months": (), "newest": 0}, "0 months are too few"),
        ({"months": ("2023-01", "2023-01")}, "2023-01 is named twice"),
        ({"holdout_months": ("2023-01",)}, "2023-01 is named twice"),
        ({"months": ("2023-02",), "holdout_months": ("2023-01",)}, "2023-01 is not later than 2023-02"),
        ({"months": ("2023-13",)}, "2023-13"),
        ({"sources": ("a", "b")}, "2 sources for 1 months"),
        ({"problem": "iris"}, "does not learn from trips"),
        ({"dataset": "synth"}, "not in the lake"),
    ],
)
def test_what_does_not_fit_is_one_line(changes: dict[str, Any], what: str) -> None:
    params = pipeline.Params(**({"dataset": "green", "months": ("2023-01",), "track": False} | changes))
    with pytest.raises(ConfigError, match=what):
        pipeline.run(load(), params)


def test_too_few_months_are_a_fault_once_the_lake_has_trips() -> None:
    settings = load()
    other = Path(settings.lake_uri) / "trips/yellow/2023-01.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    with pytest.raises(ConfigError, match="0 complete months of green, not 3"):
        pipeline.run(settings, pipeline.Params(dataset="green", months=(), fetch=False, track=False))


def test_the_page_of_a_failed_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise DataError("the river rose", where="street")

    home = load().home
    settings = load(home=home / "synthetic")
    synth.run(settings, synth.Params(Plan(trips=200, seed=1, era="zones")))
    monkeypatch.setitem(pipeline.STEPS, "cluster", broken)
    with pytest.raises(DataError, match="the river rose"):
        pipeline.run(settings, pipeline.Params("synth", ("2024-01",), track=False))
    [page] = home.rglob("run.html")
    text = page.read_text()
    assert "1 of 6" in text
    assert "street: the river rose" in text

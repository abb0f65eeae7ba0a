"""Retraining: once for a decision, whoever is killed; a refusal is on record and leaves the champion."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cabstand import cli
from cabstand.errors import ConfigError, DataError, NothingToDo
from cabstand.io import claims, ledger, pointer
from cabstand.jobs import pipeline, retrain, synth
from cabstand.jobs.retraining import asking, rules
from cabstand.modelling.pointer import first
from cabstand.monitoring.policy import Decision
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan
from monitor_windows import BAD, DAY, window

PROBLEM = "trip-duration"
MONTHS = ("2024-01", "2024-02", "2024-03")
PARAMS = retrain.Params(dataset="synth", track=False)
STUBS: dict[str, dict[str, Any]] = {
    "ingest": {},
    "cluster": {"hotspots_uri": "h"},
    "train": {"model_version": "m"},
    "publish": {"decision": "promoted", "reason": "better"},
    "report": {"report_uri": "r"},
}
# Forked from one process for each write, and killed before or after that write; then again, until it is through.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
sys.path += [sys.argv[3], f"{sys.argv[3]}/jobs"]
from test_retrain import PARAMS, stub
from cabstand.io import storage
from cabstand.jobs import pipeline, retrain
from cabstand.settings import load
from dataclasses import replace

base, out, key = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4]


def armed(write, kill_at, count):
    def wrapped(*args, **kwargs):
        for step in (lambda: None, lambda: write(*args, **kwargs)):
            done = step()
            count[0] += 1
            if count[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    return wrapped


def attempt(home, kill_at):
    if not (child := os.fork()):
        count, settings = [0], load(home=home)
        pipeline.STEPS = stub(home / "trained.txt")
        for writer in ("write", "put_if"):
            setattr(storage, writer, armed(getattr(storage, writer), kill_at, count))
        retrain.run(settings, replace(PARAMS, decision=key))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


for kill_at in range(1, 200):
    home = shutil.copytree(base, out / f"{kill_at:03d}")
    code = attempt(home, kill_at)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    assert attempt(home, 0) == 0
"""


def stub(trained: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """Return steps that do nothing but note the months that are trained on."""

    def step(name: str) -> Any:
        def work(_: Settings, params: pipeline.Params, __: object) -> dict[str, Any]:
            if name == "train":
                with trained.open("a") as file:
                    print(*params.months, *params.holdout_months, file=file)
            return changes.get(name, STUBS[name])

        return work

    return {name: step(name) for name in STUBS}


def make(settings: Settings, *months: str) -> None:
    for month in months:
        synth.run(settings, synth.Params(Plan(trips=300, era="zones", month=month)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake with three months, and a pipeline that only notes what it trains on."""
    settings = load()
    make(settings, *MONTHS)
    monkeypatch.setattr(pipeline, "STEPS", stub(tmp_path / "trained.txt"))
    return settings


def trained(tmp_path: Path) -> list[str]:
    file = tmp_path / "trained.txt"
    return file.read_text().splitlines() if file.exists() else []


def asked(settings: Settings) -> Decision:
    """Put a window in the ledger that asks for retraining, and return its decision."""
    one = window(0, BAD)
    found, _ = ledger.decide(settings.lake_uri, one, rules.of(settings), one.end)
    assert found.action == "retrain"
    return found


def test_an_event_that_comes_twice_retrains_once(place: Settings, tmp_path: Path) -> None:
    params = replace(PARAMS, decision=asked(place).key)
    first = retrain.run(place, params)
    make(place, "2024-04")  # a newer month does not make the second delivery another request
    second = retrain.run(place, params)
    assert trained(tmp_path) == [" ".join(MONTHS)]
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert {**second, "repeated": False} == first
    assert first["decision_key"] == params.decision
    assert ledger.outcomes(place.lake_uri, PROBLEM) == {params.decision: [first]}


def test_a_second_delivery_while_the_first_is_worked_on_does_nothing(place: Settings, tmp_path: Path) -> None:
    key = asked(place).key
    claim = claims.take(ledger.claim_uri(place.lake_uri, PROBLEM, key))
    assert claim is not None
    with claim.held(), pytest.raises(NothingToDo, match="another process is retraining"):
        retrain.run(place, replace(PARAMS, decision=key))
    assert trained(tmp_path) == []
    assert retrain.run(place, replace(PARAMS, decision=key))["decision"] == "promoted"


@pytest.mark.slow
def test_killed_at_any_write_it_is_finished_by_the_next_run(place: Settings, tmp_path: Path) -> None:
    key = asked(place).key
    base, out, tests = place.home, tmp_path / "killed", Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(base), str(out), str(tests), key],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    homes = sorted(out.iterdir())
    assert len(homes) > 20
    for home in homes:
        [found] = ledger.outcomes(str(home / "lake"), PROBLEM)[key]
        assert (found["decision"], found["months"]) == ("promoted", list(MONTHS[:2]))
        trainings = (home / "trained.txt").read_text().splitlines()
        assert set(trainings) == {" ".join(MONTHS)}
        assert len(trainings) <= 2  # killed after the work and before it was on record


def test_a_killed_run_is_resumed_with_its_months(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = replace(PARAMS, decision=asked(place).key)
    with monkeypatch.context() as patch:
        patch.setitem(pipeline.STEPS, "report", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retrain.run(place, params)
    make(place, "2024-04")
    assert retrain.run(place, params)["holdout_months"] == ["2024-03"]
    assert len(trained(tmp_path)) == 1


def test_a_failure_is_on_record_and_may_be_tried_again(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = asked(place).key

    def fail(*_: object) -> dict[str, Any]:
        raise DataError("no rides")

    with monkeypatch.context() as patch:
        patch.setitem(pipeline.STEPS, "train", fail)
        with pytest.raises(DataError):
            retrain.run(place, replace(PARAMS, decision=key))
    retrain.run(place, replace(PARAMS, decision=key))
    told = [(one["decision"], one["reason"]) for one in ledger.outcomes(place.lake_uri, PROBLEM)[key]]
    assert told == [("failed", "no rides"), ("promoted", "better")]


def test_a_refusal_is_the_outcome_and_leaves_the_champion(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer.write(place.artifacts_uri, first(PROBLEM, "v1"), None, None)
    refused = {"decision": "refused", "reason": "worse by 3 %"}
    monkeypatch.setattr(pipeline, "STEPS", stub(tmp_path / "trained.txt", publish=refused))
    found = retrain.run(place, replace(PARAMS, decision=asked(place).key))
    assert (found["decision"], found["reason"], found["champion"]) == ("refused", "worse by 3 %", "v1")
    [recorded] = ledger.outcomes(place.lake_uri, PROBLEM).values()
    assert recorded == [found]


def test_a_person_retrains_by_one_command(place: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["retrain", "--dataset", "synth", "--no-track", "--why", "new zones"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    [record] = ledger.read(place.lake_uri, PROBLEM)
    assert (record.action, record.reason) == ("retrain", "asked for by a person: new zones")
    assert told["decision_key"] == record.key
    for day in range(2):  # the monitor's cool-down counts from it
        one = replace(window(day, BAD), start=record.at + day * DAY, end=record.at + (day + 1) * DAY)
        found, _ = ledger.decide(place.lake_uri, one, rules.of(place), one.end)
    assert found.action == "watch"
    assert cli.run(["retrain", "--dataset", "synth", "--no-track"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["repeated"]  # no newer month
    assert len(trained(tmp_path)) == 1


def test_a_persons_killed_run_is_resumed_as_the_same_request(place: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(pipeline.STEPS, "report", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retrain.run(place, PARAMS)
    retrain.run(place, PARAMS)
    assert len(ledger.read(place.lake_uri, PROBLEM)) == 1


def test_only_a_decision_that_asks_for_it_is_carried_out(place: Settings) -> None:
    one = window(0, None)
    quiet, _ = ledger.decide(place.lake_uri, one, rules.of(place), one.end)
    for key, message in {"unknown": "not in the ledger", quiet.key: "'none', not 'retrain'"}.items():
        with pytest.raises(ConfigError, match=message):
            retrain.run(place, replace(PARAMS, decision=key))
    with pytest.raises(ConfigError, match="--dataset"):
        retrain.run(place, replace(PARAMS, dataset=""))
    assert retrain.run(place, replace(PARAMS, dry_run=True))["months"] == list(MONTHS[:2])
    assert ledger.outcomes(place.lake_uri, PROBLEM) == {}


def test_without_a_bus_the_next_step_is_a_command(place: Settings) -> None:
    decision = asked(place)
    told = asking.act(place, decision, new=False)
    command = ["retrain", "--problem", PROBLEM, "--key", decision.key]
    assert told == {"event_id": "", "next_step": " ".join(["cabstand", *command])}
    later, _ = ledger.decide(place.lake_uri, window(2, BAD), rules.of(place), window(2).end)
    both = asking.act(place, later, new=True)["next_step"]
    assert both == f"{told['next_step']}; look at the report"  # as long as nobody has carried it out
    assert cli.run([*command, "--dataset", "synth", "--no-track"]) == 0
    assert asking.act(place, later, new=False) == {"event_id": "", "next_step": ""}
    assert asking.act(place, decision, new=True) == {"event_id": "", "next_step": ""}  # done already


def test_the_rules_are_those_of_the_settings() -> None:
    assert rules.of(load()) == rules.Rules()
    assert rules.of(load(monitor_bias=0.5, monitor_cooldown_days=2)).limits.bias == 0.5


SLOW_CHILD = """
import os, signal, sys
from pathlib import Path
from cabstand.jobs import pipeline, retrain
from cabstand.settings import load

kill_at, problem = int(sys.argv[1]), sys.argv[2]
if kill_at >= 0:
    name = list(pipeline.STEPS)[kill_at]
    step = pipeline.STEPS[name]

    def dying(*args):
        step(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    pipeline.STEPS[name] = dying
params = retrain.Params(problem, sys.argv[3], "synth", newest=1, min_samples=40, track=False)
print(retrain.run(load(), params)["decision"])
"""
FAST = """
from dataclasses import replace

from cabstand.modelling.problems import trip_duration


def candidates():
    return trip_duration.candidates()[:2]


PROBLEM = replace(trip_duration.PROBLEM, name="trip-duration-fast", candidates=candidates, coverage=None)
"""


@pytest.mark.slow
def test_killed_in_each_step_of_a_real_training_it_finishes(tmp_path: Path) -> None:
    settings = load()
    synth.run(settings, synth.Params(Plan(trips=4000, era="zones", month="2024-01")))
    problem = tmp_path / "fast.py"
    problem.write_text(FAST)
    one = replace(window(0, BAD), problem="trip-duration-fast")
    decision, _ = ledger.decide(settings.lake_uri, one, rules.of(settings), one.end)

    def run(kill_at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SLOW_CHILD, str(kill_at), str(problem), decision.key],
            env=os.environ, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    for step in range(len(pipeline.STEPS)):
        killed = run(step)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2_000:]
    finished = run(-1)
    assert finished.stdout.split()[-1] == "promoted", finished.stderr[-2_000:]
    [outcome] = ledger.outcomes(settings.lake_uri, "trip-duration-fast")[decision.key]
    current, _ = pointer.read(settings.artifacts_uri, "trip-duration-fast")
    assert current is not None
    assert (current.sequence, current.champion) == (1, outcome["model_version"])

"""Audit records: whatever is killed, and whoever acts in between, each change of the pointer has one that agrees."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bundles
from cabstand.errors import ConflictError
from cabstand.io import pointer, storage
from cabstand.jobs import pipeline, promote, rollback
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.modelling import catalog
from cabstand.modelling.pointer import Pointer
from cabstand.settings import Settings, load

PROBLEM = "housing"
BIAS = {"v1": 10.35, "v2": 10.2, "v4": 11.0, "v5": 10.0}
# Every command is forked from one process for each of its writes, and killed before or after that write.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_audit import ACTIONS
from cabstand.io import storage
from cabstand.settings import load

base, out = Path(sys.argv[1]), Path(sys.argv[2])


def armed(write, kill_at, count):
    def wrapped(*args):
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        done = write(*args)
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return wrapped


for name, action in ACTIONS.items():
    for kill_at in range(1, 100):
        home = shutil.copytree(base, out / f"{name}-{kill_at:02d}")
        if not (child := os.fork()):
            count = [0]
            for writer in ("write", "put_if"):
                setattr(storage, writer, armed(getattr(storage, writer), kill_at, count))
            action(load(home=home))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert status == 0, name
            break
"""


def go(settings: Settings, version: str, **more: Any) -> dict[str, Any]:
    return promote.run(settings, promote.Params(PROBLEM, version, **({"track": False} | more)))


def back(settings: Settings, **more: Any) -> dict[str, Any]:
    return rollback.run(settings, rollback.Params(PROBLEM, track=False, **more))


def gate(settings: Settings, version: str) -> dict[str, Any]:
    judged = judging.judge(settings, catalog.find(PROBLEM), version)
    return {"gate": deciding.result(judged, judged.verdict.passed, judged.pointer) | {"decision_id": "one"}}


def publish(settings: Settings, done: dict[str, Any]) -> dict[str, Any]:
    return pipeline.STEPS["publish"](settings, pipeline.Params("synth", ("2024-01",), track=False), done)


ACTIONS: dict[str, Callable[[Settings], Any]] = {
    "promote": lambda settings: go(settings, "v5"),
    "refuse": lambda settings: go(settings, "v4"),
    "share": lambda settings: go(settings, "v5", share=0.1),
    "rollback": lambda settings: back(settings, why="slow"),
    "publish": lambda settings: publish(settings, gate(settings, "v5")),
}
NEXT: dict[str, Callable[[Settings], Any]] = {
    "promote": lambda settings: go(settings, "v5"),
    "refuse": lambda settings: go(settings, "v4"),
    "rollback": lambda settings: back(settings, to="v4"),
    "publish": lambda settings: publish(settings, gate(settings, "v4")),
}


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """A place where v2 is champion after v1."""
    settings = load(home=tmp_path / "base", gate_resamples=100)
    training = bundles.holdout(settings.artifacts_uri)
    for version, bias in BIAS.items():
        bundles.small_bundle(settings.artifacts_uri, PROBLEM, version, bias=bias, training=training)
    go(settings, "v1")
    go(settings, "v2")
    return settings


def current(settings: Settings) -> Pointer:
    found, _ = pointer.read(settings.artifacts_uri, PROBLEM)
    assert found is not None
    return found


def decisions(settings: Settings) -> list[dict[str, Any]]:
    uris = storage.list_under(storage.join(settings.artifacts_uri, PROBLEM, "decisions"))
    return [json.loads(storage.read(uri)) for uri in uris]


def check(settings: Settings, *known: Pointer) -> None:
    """Assert that each change has one record, and that the records of the known pointers agree with them."""
    changes = {one["sequence"]: one for one in decisions(settings) if one["decision"] != "refused"}
    n_changes = sum(one["decision"] != "refused" for one in decisions(settings))
    assert sorted(changes) == list(range(1, current(settings).sequence + 1))
    assert n_changes == len(changes)
    for one in known:
        names = ("champion", "challenger", "share", "previous", "write_id", "who", "when", "why")
        assert {name: changes[one.sequence][name] for name in names} == {name: getattr(one, name) for name in names}


@pytest.mark.slow
def test_a_command_killed_at_any_write_leaves_one_record_a_change(place: Settings, tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(place.home), str(tmp_path / "killed"), str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr[-2_000:]
    homes = sorted((tmp_path / "killed").iterdir())
    assert len(homes) >= 30
    for home in homes:
        after_the_kill = current(load(home=home))
        for name, action in NEXT.items():
            settings = load(home=shutil.copytree(home, tmp_path / "next" / f"{home.name}-{name}"), gate_resamples=100)
            action(settings)
            check(settings, after_the_kill, current(settings))
            decision = {"rollback": "rolled back"}.get(home.name.split("-")[0], "promoted")
            [made] = [one for one in decisions(settings) if one.get("write_id") == after_the_kill.write_id]
            assert made["decision"] == (decision if after_the_kill.sequence == 3 else "promoted")


@pytest.mark.parametrize("rival", NEXT)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("moment", ["before the pointer", "before the record", "after the record"])
def test_a_rival_in_between_leaves_one_record_a_change(
    action: str, rival: str, moment: str, place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Pointer] = []
    owner, name = (pointer, "write") if moment == "before the pointer" else (storage, "write")
    real = getattr(owner, name)

    def with_rival(*args: Any, **kwargs: Any) -> Any:
        if moment != "before the pointer" and "/decisions/" not in args[0]:
            return real(*args, **kwargs)
        monkeypatch.setattr(owner, name, real)
        done = real(*args, **kwargs) if moment == "after the record" else None
        seen.append(current(place))
        NEXT[rival](place)
        seen.append(current(place))
        return done if moment == "after the record" else real(*args, **kwargs)

    monkeypatch.setattr(owner, name, with_rival)
    try:
        ACTIONS[action](place)
    except ConflictError:
        assert (action, moment) == ("rollback", "before the pointer")
    check(place, *seen, current(place))


def test_a_resumed_pipeline_records_a_refusal_once(place: Settings) -> None:
    gated = gate(place, "v4")
    for _ in range(3):  # killed after the record, before the journal knew
        assert publish(place, gated)["decision"] == "refused"
    assert [one["version"] for one in decisions(place) if one["decision"] == "refused"] == ["v4"]


def test_a_pointer_that_was_begun_anew_is_on_record_too(place: Settings) -> None:
    storage.delete(pointer.uri(place.artifacts_uri, PROBLEM))
    go(place, "v1")
    for uri in storage.list_under(storage.join(place.artifacts_uri, PROBLEM, "decisions")):
        if json.loads(storage.read(uri))["write_id"] == current(place).write_id:
            storage.delete(uri)
    go(place, "v4")
    [made] = [one for one in decisions(place) if one.get("write_id") == current(place).write_id]
    assert (made["champion"], made["reconstructed"]) == ("v1", True)


def test_a_rollback_of_an_older_version_is_recorded_as_one(place: Settings) -> None:
    """It left no record, and the champion before it as `previous`."""
    bundles.point(place.artifacts_uri, PROBLEM, "v1", previous="v2", why="rollback")
    records.complete(place, current(place))
    [made] = [one for one in decisions(place) if one["sequence"] == 3]
    assert (made["decision"], made["champion"], made["previous"]) == ("rolled back", "v1", "v2")

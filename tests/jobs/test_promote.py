"""Promote and roll back: decisions with numbers, aliases that follow, faults that change nothing."""

from __future__ import annotations

import json
import resource
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import bundles
from cabstand import cli
from cabstand.errors import CabstandError, ConfigError, ConflictError, DataError, RegistryError, StorageError
from cabstand.io import bundles as store
from cabstand.io import pointer, registry, storage, tracking
from cabstand.jobs import models_inspect, models_list, promote, rollback
from cabstand.jobs.promotion import records
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings, load

PROBLEM = "housing"
# How far each version's answers are off: v2 is better than v1, v3 is the same as v2, v4 is worse.
BIAS = {"v1": 10.35, "v2": 10.2, "v3": 10.2, "v4": 11.0, "v5": 10.0}


@pytest.fixture
def place() -> Settings:
    settings = load()
    training = bundles.holdout(settings.artifacts_uri)
    for version, bias in BIAS.items():
        bundles.small_bundle(settings.artifacts_uri, PROBLEM, version, bias=bias, training=training)
    return settings


def go(settings: Settings, version: str, **more: Any) -> dict[str, Any]:
    return promote.run(settings, promote.Params(PROBLEM, version, **({"track": False} | more)))


def champion(settings: Settings) -> str | None:
    current, _ = pointer.read(settings.artifacts_uri, PROBLEM)
    return current.champion if current else None


def changes(settings: Settings) -> list[dict[str, Any]]:
    """Return the audit records of the pointer's changes, oldest first."""
    uris = storage.list_under(storage.join(settings.artifacts_uri, PROBLEM, "decisions"))
    found = [json.loads(storage.read(uri)) for uri in uris]
    return sorted((one for one in found if one["decision"] != "refused"), key=lambda one: one["sequence"])


def test_first_better_equal_worse_and_back(place: Settings) -> None:
    first = go(place, "v1")
    assert first["decision"] == "promoted"
    assert first["judged_against"] is None
    assert go(place, "v2")["champion"] == "v2"
    for version in ("v3", "v4", "v2"):
        refused = go(place, version)
        assert refused["decision"] == "refused"
        assert refused["champion"] == "v2"
        assert "%" in refused["reason"]
        told = json.loads(storage.read(refused["record_uri"]))
        assert told["verdict"]["challenger_loss"] == refused["verdict"]["challenger_loss"]
    back = rollback.run(place, rollback.Params(PROBLEM, track=False))
    assert (back["champion"], back["previous"], back["rolled_back_from"]) == ("v1", None, "v2")
    assert rollback.run(place, rollback.Params(PROBLEM, to="v5", track=False))["champion"] == "v5"


def test_every_change_leaves_one_record_that_agrees(place: Settings) -> None:
    go(place, "v1")
    go(place, "v2", share=0.2)
    go(place, "v2", who="ann", why="better")
    go(place, "v4")
    rollback.run(place, rollback.Params(PROBLEM, who="bob", why="slow answers", track=False))
    rollback.run(place, rollback.Params(PROBLEM, to="v5", track=False))
    written = changes(place)
    names = ("decision", "champion", "challenger", "share", "previous", "sequence")
    assert [tuple(one[name] for name in names) for one in written] == [
        ("promoted", "v1", None, 0, None, 1),
        ("promoted", "v1", "v2", 0.2, None, 2),
        ("promoted", "v2", None, 0, "v1", 3),
        ("rolled back", "v1", None, 0, None, 4),
        ("rolled back", "v5", None, 0, None, 5),
    ]
    assert [(one["who"], one["why"]) for one in written[2:4]] == [("ann", "better"), ("bob", "slow answers")]
    assert (written[3]["rolled_back_from"], written[3]["version"]) == ("v2", "v1")
    current, _ = pointer.read(place.artifacts_uri, PROBLEM)
    assert current is not None
    assert (written[-1]["write_id"], written[-1]["when"]) == (current.write_id, current.when)


def test_a_second_rollback_does_not_bring_the_bad_version_back(
    place: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    go(place, "v1")
    go(place, "v2")
    words = ["rollback", "--problem", PROBLEM, "--no-track"]
    assert cli.run(words) == 0
    capsys.readouterr()
    assert cli.run(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "`cabstand models list`" in line
    assert "--to" in line
    assert champion(place) == "v1"
    assert len(changes(place)) == 3
    assert cli.run([*words, "--to", "v2"]) == 0
    assert champion(place) == "v2"


@pytest.mark.parametrize("undo", [False, True], ids=["promotion", "rollback"])
def test_a_record_that_a_kill_prevented_is_written_before_the_next_change(
    undo: bool, place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change() -> None:
        if undo:
            rollback.run(place, rollback.Params(PROBLEM, why="slow", track=False))
        else:
            go(place, "v2", why="better")

    def killed(*args: object) -> str:
        raise KeyboardInterrupt

    go(place, "v1")
    if undo:
        go(place, "v3")
    with monkeypatch.context() as patch:
        patch.setattr(records, "write_change", killed)
        with pytest.raises(KeyboardInterrupt):
            change()
    missing = changes(place)[-1]["sequence"] + 1
    go(place, "v5")
    assert [one["sequence"] for one in changes(place)] == list(range(1, missing + 2))
    [late] = [one for one in changes(place) if one["sequence"] == missing]
    expected = ("rolled back", "v1", None, "slow") if undo else ("promoted", "v2", "v1", "better")
    assert (late["decision"], late["champion"], late["previous"], late["why"]) == expected
    assert late["reconstructed"]


def test_a_refusal_is_an_answer(place: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A retraining that ends in a recorded no has done its work: no alarm on failed jobs may come of it."""
    go(place, "v2")
    assert cli.run(["promote", "--problem", PROBLEM, "--version", "v4", "--no-track"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["decision"] == "refused"


def test_a_share_makes_a_challenger(place: Settings) -> None:
    go(place, "v1")
    shared = go(place, "v2", share=0.2)
    assert (shared["champion"], shared["challenger"], shared["share"]) == ("v1", "v2", 0.2)
    full = go(place, "v2")
    assert (full["champion"], full["challenger"], full["previous"]) == ("v2", None, "v1")


def test_a_dry_run_changes_nothing(place: Settings) -> None:
    assert go(place, "v1", dry_run=True)["decision"] == "promoted"
    assert champion(place) is None
    assert not storage.list_under(storage.join(place.artifacts_uri, PROBLEM, "decisions"))


def test_a_damaged_challenger_leaves_the_champion(place: Settings) -> None:
    go(place, "v1")
    model = Path(store.base(place.artifacts_uri, PROBLEM, "v2")) / "model.onnx"
    model.write_bytes(model.read_bytes()[:-9])
    with pytest.raises(DataError, match="damaged"):
        go(place, "v2")
    model.unlink()
    with pytest.raises(DataError, match="missing"):
        go(place, "v2")
    listed = models_list.run(place, models_list.Params(PROBLEM, track=False))["problems"][PROBLEM]
    assert listed["champion"] == "v1"
    assert champion(place) == "v1"


def test_a_pointer_to_nothing_is_told_and_rolled_back(place: Settings) -> None:
    go(place, "v1")
    bundles.point(place.artifacts_uri, PROBLEM, "gone", previous="v1")
    with pytest.raises(DataError, match="no such bundle"):
        go(place, "v2")
    with pytest.raises(DataError, match="no such bundle"):
        models_inspect.run(place, models_inspect.Params(PROBLEM))
    assert rollback.run(place, rollback.Params(PROBLEM, track=False))["champion"] == "v1"
    for to, what in (("", "--to"), ("gone", "no version")):
        with pytest.raises(CabstandError, match=what):
            rollback.run(place, rollback.Params(PROBLEM, to=to, track=False))
    assert champion(place) == "v1"


def test_a_damaged_pointer_is_told_and_hides_no_other_problem(place: Settings) -> None:
    go(place, "v1")
    bundles.small_bundle(place.artifacts_uri, "iris", "i1")
    bundles.point(place.artifacts_uri, "iris", "i1")
    uri = pointer.uri(place.artifacts_uri, PROBLEM)
    good = storage.read(uri)
    storage.write(uri, good[:40])
    for work in (lambda: go(place, "v2"), lambda: rollback.run(place, rollback.Params(PROBLEM, to="v1", track=False))):
        with pytest.raises(DataError, match="not a pointer"):
            work()
    assert storage.read(uri) == good[:40]
    listed = models_list.run(place, models_list.Params(track=False))["problems"]
    assert "not a pointer" in listed[PROBLEM]["fault"]
    assert {row["version"] for row in listed[PROBLEM]["versions"]} == set(BIAS)
    assert (listed["iris"]["champion"], "fault" in listed["iris"]) == ("i1", False)


def test_a_slight_gain_passes_at_first_and_not_after_ten_others(place: Settings) -> None:
    """The register of attempts belongs to champion and held-out rows: a new holdout starts afresh."""
    training = bundles.holdout(place.artifacts_uri, n=16)
    lucky = {f"w{number}": 10.45 for number in range(10)} | {"slight": 10.31}
    for version, bias in lucky.items():
        bundles.small_bundle(place.artifacts_uri, PROBLEM, version, bias=bias, training=training)
    go(place, "v1")
    assert go(place, "slight", dry_run=True)["decision"] == "promoted"
    attempts = [go(place, f"w{number}")["verdict"]["attempt"] for number in range(10)]
    assert attempts == list(range(1, 11))
    assert go(place, "w3")["verdict"]["attempt"] == 4  # the same question, so the same number and answer
    refused = go(place, "slight")
    assert refused["decision"] == "refused"
    assert "attempt 11 against this champion" in refused["reason"]
    other = bundles.holdout(place.artifacts_uri, n=601)
    bundles.small_bundle(place.artifacts_uri, PROBLEM, "fresh", bias=10.31, training=other)
    assert go(place, "fresh")["verdict"]["attempt"] == 1
    assert champion(place) == "fresh"
    assert go(place, "w0")["verdict"]["attempt"] == 1


def test_a_bundle_that_knows_its_holdout_is_not_promoted(place: Settings) -> None:
    training = bundles.holdout(place.artifacts_uri)
    training["span"] = ["2023-01-01T00:00:00", "2023-01-31T23:59:59"]
    training["holdout"] |= {"span": ["2023-01-20T00:00:00", "2023-02-28T23:59:59"]}
    bundles.small_bundle(place.artifacts_uri, PROBLEM, "knows", bias=10.0, training=training)
    with pytest.raises(ConfigError, match=r"holdout of housing knows: begins at 2023-01-20.*ends at 2023-01-31"):
        go(place, "knows")
    assert champion(place) is None


def test_a_holdout_that_changed_is_refused(place: Settings) -> None:
    [uri] = storage.list_under(storage.join(place.artifacts_uri, PROBLEM, "holdouts"))
    storage.write(uri, storage.read(uri) + b"x")
    with pytest.raises(DataError, match="holdout is damaged"):
        go(place, "v1")


@pytest.mark.parametrize(
    ("version", "what"), [("v", "more than one"), ("nothing", "no version"), ("../x", "no version")]
)
def test_a_version_that_cannot_be(version: str, what: str, place: Settings) -> None:
    with pytest.raises(CabstandError, match=what):
        go(place, version)


def test_a_promotion_that_came_first_refuses_ours(place: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    go(place, "v1")

    def late(*args: object, **kwargs: object) -> None:
        raise ConflictError("changed by another writer")

    monkeypatch.setattr(pointer, "write", late)
    refused = go(place, "v2")
    assert refused["decision"] == "refused"
    assert "came first" in refused["reason"]
    assert refused["champion"] == "v1"


def test_twenty_at_once_one_champion_and_every_decision_on_record(
    place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have judged against the same champion before the first of them writes."""
    training = bundles.holdout(place.artifacts_uri)
    versions_ = [f"c{number:02d}" for number in range(20)]
    for version in versions_:
        bundles.small_bundle(place.artifacts_uri, PROBLEM, version, bias=10.1, training=training)
    go(place, "v1")
    barrier, real, done, seen = threading.Barrier(len(versions_)), pointer.write, threading.Event(), []

    def together(*args: Any, **kwargs: Any) -> Pointer:
        barrier.wait(60)
        return real(*args, **kwargs)

    def watch() -> None:
        while not done.is_set():
            seen.append(pointer.read(place.artifacts_uri, PROBLEM)[0])

    monkeypatch.setattr(pointer, "write", together)
    with ThreadPoolExecutor(len(versions_) + 1) as pool:
        watched = pool.submit(watch)
        try:
            told = list(pool.map(lambda version: go(place, version), versions_))
        finally:
            done.set()
        watched.result()
    [won] = [one for one in told if one["decision"] == "promoted"]
    assert {one["reason"].split(";")[0] for one in told if one is not won} == {"another promotion came first"}
    assert {one["champion"] for one in told} == {won["version"]}
    assert {(one.sequence, one.champion) for one in seen if one} <= {(1, "v1"), (2, won["version"])}
    assert None not in seen
    assert len(seen) > 1
    records = storage.list_under(storage.join(place.artifacts_uri, PROBLEM, "decisions"))
    kept = [json.loads(storage.read(uri)) for uri in records]
    assert sorted(one["version"] for one in kept if one["judged_against"]) == versions_


@pytest.mark.parametrize(("room", "serves"), [(0, "v1"), (600, "v2")], ids=["no pointer", "no record"])
def test_a_truly_full_disk(room: int, serves: str, place: Settings) -> None:
    go(place, "v1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(StorageError, match="too large") as caught:
            go(place, "v2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert ("v2 is promoted, but the record" in str(caught.value)) == (serves == "v2")
    assert champion(place) == serves
    assert not list(place.home.rglob(".part-*"))
    assert go(place, "v5")["champion"] == "v5"


def test_a_registry_that_is_down_changes_nothing(place: Settings) -> None:
    down = load(mlflow_tracking_uri="http://127.0.0.1:9")
    with pytest.raises(RegistryError):
        go(down, "v1", track=True)
    assert champion(place) is None


def test_aliases_follow_and_heal(place: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.run(place, "made", {}) as tracked:
        assert tracked.id
    for version in ("v1", "v2"):
        registry.register(place, PROBLEM, version, tracked.id)
    assert registry.register(place, PROBLEM, "v1", tracked.id) == "1"
    go(place, "v1", track=True)
    assert registry.aliases(place, PROBLEM) == {"champion": "v1"}

    def broken() -> None:
        raise RegistryError("MLflow does not answer")

    # The half that breaks: the pointer is written, the aliases are not.
    with monkeypatch.context() as patch:
        patch.setattr(registry, "set_aliases", lambda *args: broken() if args[1].champion == "v2" else None)
        assert go(place, "v2", track=True)["aliases"] == "behind"
    assert registry.aliases(place, PROBLEM) == {"champion": "v1"}
    listed = models_list.run(place, models_list.Params(PROBLEM))["problems"][PROBLEM]
    assert listed["aliases"] == "in step"
    assert registry.aliases(place, PROBLEM) == {"champion": "v2", "previous": "v1"}
    rollback.run(place, rollback.Params(PROBLEM))
    assert registry.aliases(place, PROBLEM) == {"champion": "v1"}
    refused = go(place, "v4", track=True)
    client = tracking.client(place)
    runs = client.search_runs([tracking.experiment_id(place)], "tags.`gate.passed` = 'False'")
    assert runs[0].data.metrics["gain"] == pytest.approx(refused["verdict"]["gain"])


def test_a_listing_leaves_the_aliases_of_another_store(place: Settings, tmp_path: Path) -> None:
    with tracking.run(place, "made", {}) as tracked:
        assert tracked.id
    registry.register(place, PROBLEM, "v1", tracked.id)
    go(place, "v1", track=True)
    other = load(artifacts=str(tmp_path / "other"))
    listed = models_list.run(other, models_list.Params(PROBLEM))["problems"]
    assert listed == {} or listed[PROBLEM]["aliases"] == "of another store"
    assert registry.aliases(place, PROBLEM) == {"champion": "v1"}


class Serving(RuleBasedStateMachine):
    """Promotions, rollbacks and crashes in any order: the pointer is what a simple model says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = load(home=Path(self.folder.name), gate_resamples=100)
        training = bundles.holdout(self.settings.artifacts_uri)
        for version, bias in BIAS.items():
            bundles.small_bundle(self.settings.artifacts_uri, PROBLEM, version, bias=bias, training=training)
        self.champion: str | None = None
        self.previous: str | None = None
        self.champions: list[str] = []

    def teardown(self) -> None:
        self.folder.cleanup()

    def _moved(self, version: str) -> None:
        self.champion, self.previous = version, self.champion
        self.champions.append(version)

    @rule(version=st.sampled_from(sorted(BIAS)))
    def promote(self, version: str) -> None:
        better = self.champion is None or abs(BIAS[version] - 10) < abs(BIAS[self.champion] - 10)
        # Before the first champion the gate asks to beat the best constant.
        decided = go(self.settings, version)["decision"] == "promoted"
        if self.champion is not None:
            assert decided == better
        if decided:
            self._moved(version)

    @rule(version=st.sampled_from(sorted(BIAS)), before=st.booleans())
    def crash_in_the_write(self, version: str, before: bool) -> None:
        real = storage.put_if

        def killed(*args: Any) -> str:
            if not before:
                real(*args)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(storage, "put_if", killed)
            try:
                go(self.settings, version)
            except KeyboardInterrupt:
                if not before:
                    self._moved(version)

    @precondition(lambda self: self.previous is not None)
    @rule()
    def roll_back(self) -> None:
        target = self.previous
        assert target is not None
        rollback.run(self.settings, rollback.Params(PROBLEM, track=False))
        self._moved(target)
        self.previous = None

    @invariant()
    def the_pointer_is_valid_and_as_expected(self) -> None:
        current, _ = pointer.read(self.settings.artifacts_uri, PROBLEM)
        found = state(current)
        assert (found["champion"], found["previous"], found["sequence"]) == (
            self.champion,
            self.previous,
            len(self.champions),
        )

    @invariant()
    def every_change_but_a_crashed_last_is_on_record(self) -> None:
        found = [(one["sequence"], one["champion"]) for one in changes(self.settings)]
        expected = list(enumerate(self.champions, start=1))
        assert found in (expected, expected[:-1])


TestServing = Serving.TestCase
TestServing.settings = hypothesis_settings(max_examples=8, stateful_step_count=8)

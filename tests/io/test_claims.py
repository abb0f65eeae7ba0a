"""A claim is one process's at a time, and passes on when that process is dead."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import ConflictError, DataError
from cabstand.io import claims, run_owner, storage


@pytest.fixture(params=["disk", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "claim.json")
    request.getfixturevalue("atomic_puts")
    return f"s3://{request.getfixturevalue('bucket')}/claim.json"


def test_one_of_many_takes_it(uri: str) -> None:
    barrier, taken = threading.Barrier(8), []

    def take() -> None:
        barrier.wait()
        taken.append(claims.take(uri))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len([one for one in taken if one is not None]) == 1


def test_the_next_owner_knows_what_the_last_one_noted(uri: str) -> None:
    first = claims.take(uri)
    assert first is not None
    with pytest.raises(ZeroDivisionError), first.held():
        first.note(months=["2024-01"])
        assert claims.take(uri) is None
        raise ZeroDivisionError
    second = claims.take(uri)
    assert second is not None
    assert (second.facts, second.attempt) == ({"months": ["2024-01"]}, 2)
    with pytest.raises(ConflictError):
        first.note(months=[])


def owner(**tags: str) -> dict[str, Any]:
    return {"schema_version": 1, "owner": run_owner.tags() | tags, "attempt": 1, "facts": {}}


@pytest.mark.parametrize(
    ("tags", "free"),
    [
        ({run_owner.PROCESS: f"{os.getpid()}-0"}, True),  # another process that had our number
        ({run_owner.MACHINE: "elsewhere"}, False),
        ({run_owner.MACHINE: "elsewhere", run_owner.SEEN: str(int(time.time()) - 1_000)}, True),
    ],
)
def test_a_dead_owner_has_no_claim(tags: dict[str, str], free: bool, tmp_path: Path) -> None:
    uri = str(tmp_path / "claim.json")
    storage.write(uri, json.dumps(owner(**tags)).encode())
    assert (claims.take(uri) is not None) is free


def test_signs_of_life_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = str(tmp_path / "claim.json")
    monkeypatch.setattr(run_owner, "BEAT_S", 0.01)
    claim = claims.take(uri)
    assert claim is not None
    before = storage.etag(uri)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    with claim.held():
        while storage.etag(uri) == before:
            time.sleep(0.01)
        claim.note(step=1)
    assert json.loads(storage.read(uri))["facts"] == {"step": 1}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema_version": 2}'])
def test_a_damaged_claim_is_one_line(content: str, tmp_path: Path) -> None:
    uri = str(tmp_path / "claim.json")
    storage.write(uri, content.encode())
    with pytest.raises(DataError) as caught:
        claims.take(uri)
    assert "\n" not in str(caught.value)

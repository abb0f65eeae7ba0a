"""Fourth: a better model and the way back, the account's destruction, a dead emulator, and nothing is left."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cabstand.local.ports import check_free
from cabstand.local.stack import environment, processes, status, supervisor
from laptop import ROOT, Laptop
from waiting import until

pytestmark = pytest.mark.story


def learned(laptop: Laptop, shared: Path, n_rows: int) -> str:
    """Train on the first rows of the houses, let the gate judge, and return the version that is champion then."""
    with gzip.open(shared / "data/housing/housing.csv.gz") as houses:
        source = laptop.put(f"houses-{n_rows}.csv", b"".join(islice(houses, n_rows + 1)))
    for words in (["train", "--input", source], ["promote"]):
        assert laptop.local("run", "train", "--", words[0], "--problem", "housing", *words[1:])["exit_code"] == 0
    return champion(laptop)


def champion(laptop: Laptop) -> str:
    artifacts, s3 = laptop.outputs["buckets"]["artifacts"], laptop.client("s3")
    return str(json.load(s3.get_object(Bucket=artifacts, Key="serving/housing/pointer.json")["Body"])["champion"])


def test_a_better_model_is_served_and_the_way_back_too(stack: dict[str, Any], laptop: Laptop, shared: Path) -> None:
    first, second = learned(laptop, shared, 300), learned(laptop, shared, 6_000)
    assert first != second

    def served() -> str:
        found = laptop.ask_service("/v1/models", key=stack["key"])["models"]
        return next((one["champion"]["version"] for one in found if one["problem"] == "housing"), "")

    until(lambda: served() == second, 120, 1)
    words = ["rollback", "--problem", "housing", "--why", "the story"]
    assert laptop.local("run", "train", "--", *words)["exit_code"] == 0
    assert champion(laptop) == first
    until(lambda: served() == first, 120, 1)


def test_no_other_call_was_denied(laptop: Laptop) -> None:
    assert {(one["role"], one["action"]) for one in status.denied(laptop.state)} == {
        ("cabstand-dev-task-clustering", "s3:PutObject")
    }


def test_the_environment_is_destroyed_and_its_receipt_is_clean(laptop: Laptop) -> None:
    words = ["destroy", "--confirm", "destroy cabstand-dev", "--infra", str(laptop.state.folder / "account/infra")]
    done = subprocess.run(
        [sys.executable, "-m", "cabstand", *words],
        env=environment.of(laptop.state),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    receipt = json.loads(done.stdout.splitlines()[-1])
    print(receipt["emptied"], receipt["left"])
    assert receipt["clean"]


def test_a_killed_emulator_is_told_and_nothing_works_without_it(laptop: Laptop) -> None:
    laptop.kill("emulator")

    def is_told() -> bool:
        return bool(laptop.local("status")["parts"]["emulator"]["note"] == supervisor.LOST)

    until(is_told, 30)
    assert laptop.reads("supervisor", supervisor.LOST)
    command = laptop.begin("run", "train")
    assert "error: emulator: does not answer" in command.communicate(timeout=60)[1].splitlines()[-1]
    assert command.returncode == 1
    assert laptop.local("down", "--keep", code=1) == {}


def test_nothing_is_left(stack: dict[str, Any], laptop: Laptop) -> None:
    folder, database = laptop.home / "local", (laptop.home / "local/postgres").resolve()
    laptop.local("down")
    assert not folder.exists()
    assert not database.exists()
    assert not processes.orphans(folder)
    for address in stack["addresses"].values():
        check_free(int(address.rsplit(":", 1)[1]), address)

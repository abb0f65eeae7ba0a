"""Bundles of many hostile kinds: each is refused within its bounds, and what served before serves on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hostile
import hostile_store
from bundles import point, small_bundle
from cabstand.api.metrics import Metrics
from cabstand.api.store import ModelStore
from cabstand.io.proving import messages
from serving import hotspots_file

MOST_MIB = 300


@pytest.fixture(scope="module")
def process() -> Iterator[subprocess.Popen[str]]:
    """A process that serves; it must outlive all of them."""
    command = [sys.executable, hostile_store.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as found:
        yield found
        assert found.stdin is not None
        found.stdin.close()
        assert found.wait(20) == 0


def ask(process: subprocess.Popen[str], line: object) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    return process.stdout.readline()


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_a_hostile_bundle_is_refused(tmp_path: Path, process: subprocess.Popen[str], kind: str) -> None:
    small_bundle(tmp_path)
    point(tmp_path)
    assert ask(process, tmp_path) == "v1\n"
    small_bundle(tmp_path, version="v2", extra={"hotspots.npz": hotspots_file()}, proved=False)
    point(tmp_path, champion="v2", previous="v1")
    hostile.KINDS[kind](tmp_path)
    found = json.loads(ask(process, "look"))
    reason = found["reason"]
    print(f"\n{kind}: {found['cpu_s']:.2f} s, {found['child_mib']:.0f} and {found['own_mib']:.0f} MiB: {reason[-150:]}")
    assert (found["champion"], found["answers"], found["refused"]) == ("v1", 1, 1)
    assert "the old one serves on" in reason
    assert found["cpu_s"] < messages.CPU_S + 1
    assert found["child_mib"] < MOST_MIB
    assert found["own_mib"] < MOST_MIB


def test_there_are_enough_kinds() -> None:
    assert len(hostile.KINDS) >= 40


def test_a_good_bundle_is_proved_and_serves(tmp_path: Path) -> None:
    for name in ("trip-duration", "trip-duration-distance", "housing", "iris"):
        small_bundle(tmp_path, name, proved=False)
        point(tmp_path, name)
    store = ModelStore(str(tmp_path), [], 1.0, Metrics())
    store.refresh()
    assert len(store.served) == 4
    assert not store.faults

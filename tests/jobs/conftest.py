"""What the tests of the distributed clustering share: a town's trips, and two workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import town
from cabstand.jobs.distributed import driver
from town import Town


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with town.scheduler() as address:
        yield address


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return town.write(tmp_path_factory.mktemp("trips"))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "CHUNK_ROWS", 5_000)

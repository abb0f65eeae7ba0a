"""An emulator for the session, with a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ecs_cluster
from cabstand.local.runner import box
from ecs_cluster import Cluster


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    with ecs_cluster.emulator() as url:
        yield url


@pytest.fixture(scope="session")
def aws(emulator_url: str) -> Callable[[str], Any]:
    return ecs_cluster.clients(emulator_url)


@pytest.fixture(scope="session")
def cluster(aws: Callable[[str], Any]) -> Cluster:
    return Cluster(aws)


@pytest.fixture(params=["box", "plain"])
def boxed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With bubblewrap, where it is installed, and without."""
    if request.param == "box" and not box.available():
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    monkeypatch.setattr(box, "available", lambda: request.param == "box")
    return bool(request.param == "box")

"""An emulator for the session, and a runner that runs its tasks as processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from cabstand.local import runner
from cloud_account import client
from ecs_cluster import Cluster

Clients = Callable[[str], Any]


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "cabstand.local.emulator"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture(scope="session")
def aws(emulator_url: str) -> Clients:
    return cache(lambda service: client(emulator_url, service))


@pytest.fixture(scope="session")
def cluster(aws: Clients) -> Cluster:
    return Cluster(aws)


@pytest.fixture(scope="module")
def running(aws: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A runner that works while a module's tests run."""
    stop = threading.Event()
    options = runner.Options(vcpus=4, image=None, spot_notice_s=0.5, look_s=0.1)
    thread = threading.Thread(target=runner.run, args=(aws, tmp_path_factory.mktemp("runner"), stop, options))
    thread.start()
    yield
    stop.set()
    thread.join(30)
    assert not thread.is_alive()

"""The account of the story, which is ended even if the story is not told to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from laptop import Laptop


class _NothingPublished(BaseHTTPRequestHandler):
    """Answers as the TLC does for a month that is not there yet."""

    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def tlc() -> Iterator[str]:
    """Address of a TLC that has published nothing: retraining takes the months in the lake."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NothingPublished) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def laptop(tlc: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    found = Laptop(tmp_path_factory.mktemp("story"), {"CABSTAND_TLC_URL": tlc})
    yield found
    found.local("down")


@pytest.fixture(scope="session")
def stack(laptop: Laptop) -> dict[str, Any]:
    """What `up` says."""
    return laptop.local("up", "--no-image")  # which may be of another version


@pytest.fixture(autouse=True)
def timed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print each step with its time."""
    begun = time.monotonic()
    print(f"\n{request.node.name.removeprefix('test_').replace('_', ' ')}", flush=True)
    yield
    print(f"{time.monotonic() - begun:8.1f} s", flush=True)

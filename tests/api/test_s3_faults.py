"""The real server over an S3 that is down, silent, slow or cut short: it starts, serves on, and catches up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundles import point, small_bundle
from cabstand.settings import Settings
from fault_proxy import FaultProxy, proxied
from load import Load
from serving import Server, get, hotspots_file, make_key, serving


@pytest.fixture
def proxy(moto_server: str) -> Iterator[FaultProxy]:
    with proxied(moto_server) as found:
        yield found


@contextmanager
def running(proxy: FaultProxy, bucket: str, folder: Path, *, ready: bool = True) -> Iterator[tuple[Server, str, str]]:
    """Serve v1 from a bucket behind the proxy; give the server, a key and the store's address."""
    store = f"s3://{bucket}/store"
    small_bundle(store, extra={"hotspots.npz": hotspots_file(20_000)})
    point(store)
    key = make_key(Settings(home=folder))
    env = {"AWS_ENDPOINT_URL": proxy.url, "CABSTAND_ARTIFACTS": store, "CABSTAND_API_REFRESH_S": "1"}
    with serving(folder, folder / "server.log", ready=ready, **env) as server:
        yield server, key, store


def champion_is(server: Server, version: str, within_s: float = 40.0) -> None:
    deadline = time.monotonic() + within_s
    while f'"trip-duration":"{version}"'.encode() not in get(f"{server.url}/readyz")[1]:
        assert time.monotonic() < deadline, server.log.read_text()[-2000:]
        time.sleep(0.1)


def test_down_at_the_start(proxy: FaultProxy, bucket: str, tmp_path: Path) -> None:
    proxy.set("refuse")
    with running(proxy, bucket, tmp_path, ready=False) as (server, key, _):
        time.sleep(1)
        assert get(f"{server.url}/healthz")[0] == 200
        assert get(f"{server.url}/readyz")[0] == 503
        with Load(server, key, 1) as load:
            time.sleep(0.5)
        assert load.statuses() == {503}
        proxy.set("pass")
        champion_is(server, "v1")
        with Load(server, key, 1) as load:
            time.sleep(0.5)
        assert load.statuses() == {200}
        assert server.stop() == 0


REST = [("silent", 0), ("cut", 700), ("slow", 4_000)]  # slow, of it: bytes each tenth of a second


@pytest.mark.parametrize(
    ("mode", "after"), [("refuse", 0), *(pytest.param(*one, marks=pytest.mark.slow) for one in REST)]
)
def test_later(proxy: FaultProxy, bucket: str, tmp_path: Path, mode: str, after: int) -> None:
    with running(proxy, bucket, tmp_path) as (server, key, store):
        with Load(server, key, 2) as load:
            time.sleep(1)
            proxy.set(mode, after)
            small_bundle(store, version="v2", bias=20.0, extra={"hotspots.npz": hotspots_file(20_000)})
            point(store, champion="v2")
            time.sleep(4)
            assert b'"v1"' in get(f"{server.url}/readyz")[1]
            proxy.set("pass")
            champion_is(server, "v2")
            time.sleep(0.5)
        assert load.statuses() == {200}
        assert len(load.answered) > 50
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()

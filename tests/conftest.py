"""Fixtures for every test: real trips where they are present, an emulated AWS, isolated settings."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from key_watch import KeyWatch

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes is the machine's business.
settings.register_profile("cabstand", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cabstand")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real trips, which is no part of the repository; see docs/honesty.md."""
    named = os.environ.get("CABSTAND_SHARED")
    folder = Path(named or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        if named:
            pytest.fail(f"CABSTAND_SHARED names {named}, which has no folder data")
        pytest.skip("no real trips: no ../shared/data beside the repository, and CABSTAND_SHARED is not set")
    return folder


@pytest.fixture(scope="session", autouse=True)
def key_watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyWatch]:
    """Fail the run if an API key that it made is in a log or in a text file that it left behind."""
    from cabstand.io import keys

    watch, make = KeyWatch(), keys.make

    def watched(*args: Any, **kwargs: Any) -> Any:
        key, record = make(*args, **kwargs)
        watch.made(key)
        return key, record

    keys.make = watched
    logging.getLogger().addHandler(watch)
    yield watch
    logging.getLogger().removeHandler(watch)
    keys.make = make
    assert (watch.told, list(watch.found_below(tmp_path_factory.getbasetemp()))) == ([], [])


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_watch: KeyWatch) -> None:
    """Keep the settings, credentials and home of the person who runs the tests out of them."""
    logging.getLogger().addHandler(key_watch)  # a test that configured logging removed it
    for name in list(os.environ):
        if name.startswith(("CABSTAND_", "AWS_", "MLFLOW_")) and name != "CABSTAND_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setattr("cabstand.activity.QUIET_S", 3600.0)  # a slow machine must not add lines to a command's log
    monkeypatch.setenv("CABSTAND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of one emulated AWS for the whole session; each test has its own bucket."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(moto_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new bucket, and an environment in which boto3 talks to the emulator."""
    import hashlib

    from cabstand.io import s3

    for name, value in {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3.client.cache_clear()
    name = "t-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]
    s3.client().create_bucket(Bucket=name)
    yield name
    s3.client.cache_clear()


@pytest.fixture
def atomic_puts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the emulated S3 check a condition and write in one step, as the real one does, not in two."""
    from moto.s3.responses import S3Response

    lock, original = threading.RLock(), S3Response.put_object

    def put_object(self: Any, *args: Any, **kwargs: Any) -> Any:
        with lock:
            return original(self, *args, **kwargs)

    monkeypatch.setattr(S3Response, "put_object", put_object)


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cabstand(tmp_path: Path) -> Run:
    """Run the command line in a separate process, in an empty folder."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cabstand", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | env,
            timeout=300,
            check=False,
        )

    return run

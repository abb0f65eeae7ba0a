"""What every test may use: real data where it is present, an emulated S3, settings of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real trips with reference figures, outside the project."""
    folder = Path(os.environ.get("CABSTAND_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"real data absent: no {folder.name}/data beside the project (set CABSTAND_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the settings, credentials or home of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("CABSTAND_", "AWS_", "MLFLOW_")) and name != "CABSTAND_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("CABSTAND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of one S3 (and the rest of AWS) for the whole session; buckets keep tests apart."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(moto_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh bucket, and an environment in which boto3 speaks to the emulator."""
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


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cabstand(tmp_path: Path) -> Run:
    """Run the command line in a process of its own, in an empty folder."""

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

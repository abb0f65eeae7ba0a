"""The built wheel, installed with each extra in a clean environment with the locked versions: what it is for works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.extras

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FIT = "from cabstand import GeoDBSCAN; assert GeoDBSCAN(min_samples=2).fit([[40.7, -74.0]] * 3).labels_.max() == 0"
EVIDENTLY = """
import pyarrow
from cabstand.io import evidently_report
from cabstand.monitoring.sample import Samples
rows = pyarrow.table({"minutes": [4.0, 7.0, 9.0]})
assert b"<html" in evidently_report.make(Samples(rows, rows), share=0.5).page
"""
HEALTH = """
from cabstand.api.aws import lambda_handler
http = {"method": "GET", "path": "/healthz", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
context = {"http": http, "stage": "$default", "requestId": "id", "accountId": "1", "apiId": "a"}
event = {"version": "2.0", "routeKey": "$default", "rawPath": "/healthz", "requestContext": context}
rest = {"headers": {"host": "api.example"}, "rawQueryString": "", "isBase64Encoded": False}
answer = lambda_handler()(event | rest, None)
assert answer["statusCode"] == 200, answer
"""


class Installed:
    """An environment with the wheel and some extras, and an empty folder to work in."""

    def __init__(self, venv: Path, folder: Path) -> None:
        self.bin, self.folder = venv / "bin", folder
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.env = env | {"PATH": f"{self.bin}{os.pathsep}{env['PATH']}"}

    def run(self, *command: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment, and check how it ends."""
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def python(self, code: str, **env: str) -> str:
        """Run Python code and return what it prints."""
        return self.run("python", "-c", code, **env).stdout

    def answers(self, address: str, *command: str) -> None:
        """Run a server until it answers at an address; `{}` stands for the one that it prints first."""
        with subprocess.Popen(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                assert process.stdout
                printed = re.search(r"http://[\w.:]+", "".join(iter_until(process.stdout.readline, "http://")))
                assert printed
                assert answered(address.format(printed[0]))
            finally:
                os.killpg(process.pid, 15)


def answered(address: str) -> bool:
    """Return whether an address answers with 200 within a minute."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:  # refused or not ready yet
            time.sleep(0.5)
    return False


def iter_until(read: Callable[[], str], wanted: str) -> list[str]:
    """Return the lines up to the first that contains `wanted`."""
    lines = []
    while line := read():
        lines.append(line)
        if wanted in line:
            break
    return lines


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(source: Path, folder: Path) -> Path:
    """Build the wheel of a source tree."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, source], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [file] = folder.glob("*.tar.gz")
    return file


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of the lock for developers, which contains every extra's."""
    lines = re.findall(r"^[A-Za-z0-9_.-]+==[^\\\n]*", (ROOT / "requirements/dev.txt").read_text(), re.M)
    file = tmp_path_factory.mktemp("pins") / "pins.txt"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def install(wheel: Path, pins: Path, tmp_path: Path) -> Iterator[Callable[..., Installed]]:
    venv, folder = tmp_path / "venv", tmp_path / "work"
    folder.mkdir()

    def make(extras: str, package: Path = wheel) -> Installed:
        what = [f"{package}[{extras}]" if extras else str(package), "--constraint", str(pins)]
        if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", venv, *what], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([venv / "bin/python", "-m", "pip", "install", "--quiet", *what], check=True)
        return Installed(venv, folder)

    yield make
    shutil.rmtree(venv, ignore_errors=True)  # a gigabyte


NO_KEYS = {"CABSTAND_API_KEYS_REQUIRED": "false"}  # pragma: allowlist secret


def works_alone(place: Installed) -> None:
    place.python(FIT)
    [line] = place.run("cabstand", code=1).stderr.splitlines()
    assert "the extra `batch`" in line


def works_in_lambda(place: Installed) -> None:
    place.python(HEALTH, **NO_KEYS)
    [line] = place.run("cabstand", "train", code=1).stderr.splitlines()
    assert "the extra `batch`" in line


def works_for_everybody(place: Installed) -> None:
    assert place.run("cabstand", "--version").stdout.startswith("cabstand ")
    demo = place.run("cabstand", "demo", "--trips", "5000", "--repeats", "1")
    assert json.loads(demo.stdout)["agree"] is True
    place.env["CABSTAND_HOME"] += "/synthetic"  # where the demo worked
    assert place.run("cabstand", "models", "list").stdout.count('"champion"')
    assert json.loads(place.run("cabstand", "keys", "create", "me").stdout)["key"]
    place.answers("{}/readyz", "cabstand", "serve", "--port", "0")


def works_with_traces(place: Installed) -> None:
    place.python(HEALTH, **NO_KEYS, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")


def works_for_the_mlflow_server(place: Installed) -> None:
    place.python("import boto3, psycopg")
    place.python("from mlflow.server.auth import create_app", MLFLOW_FLASK_SERVER_SECRET_KEY="x" * 32)


def works_with_evidently(place: Installed) -> None:
    place.python(EVIDENTLY)


def works_against_an_emulator(place: Installed) -> None:
    place.answers("{}/moto-api/data.json", "python", "-m", "cabstand.local.emulator")


def works_for_developers(place: Installed) -> None:
    for tool in ("ruff", "mypy", "lint-imports", "detect-secrets", "shellcheck", "pre-commit"):
        place.run(tool, "--version" if tool != "lint-imports" else "--help")
    place.run("python", "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", str(ROOT / "tests"))


def works_against_peers(place: Installed) -> None:
    place.python("import numpy, dbscan; assert dbscan.DBSCAN(numpy.zeros((3, 2)), eps=1, min_samples=2)[1].all()")


CHECKS: dict[str, tuple[str, Callable[[Installed], None]]] = {
    "": ("", works_alone),
    "api": ("api", works_in_lambda),
    "batch": ("batch", works_for_everybody),
    "monitor": ("monitor", works_with_evidently),
    "tracing": ("api,tracing", works_with_traces),
    "tracking": ("tracking", works_for_the_mlflow_server),
    "local": ("local", works_against_an_emulator),
    "dev": ("dev", works_for_developers),
    "bench": ("bench", works_against_peers),
}


def test_every_extra_is_checked() -> None:
    assert set(CHECKS) == {"", *EXTRAS}


@pytest.mark.parametrize("extra", CHECKS, ids=lambda extra: extra or "none")
def test_the_wheel_with_an_extra(install: Callable[[str], Installed], extra: str) -> None:
    extras, check = CHECKS[extra]
    check(install(extras))


def test_the_source_distribution_installs(install: Callable[..., Installed], sdist: Path) -> None:
    works_alone(install("", sdist))


# So what the wheel does with each extra, an installation of the source distribution does, too.
def test_the_source_distribution_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {"LICENSE", "README.md", "pyproject.toml", "src/cabstand/py.typed"} <= set(names)
    assert not [name for name in names if re.match(r"\.venv|\.cabstand|build/|dist/", name)]
    [source] = (tmp_path / "unpacked").iterdir()
    assert contents(built(source, tmp_path)) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    return {one.filename: one.CRC for one in zipfile.ZipFile(wheel).infolist()}

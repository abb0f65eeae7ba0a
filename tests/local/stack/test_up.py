"""What `up` refuses, and what it leaves when it fails or is interrupted: nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cabstand.errors import ConfigError, TaskError
from cabstand.local.ports import free_port
from cabstand.local.stack import environment, processes, terraform, up
from cabstand.local.stack.state import Part, State

FAILS = "import sys; sys.exit('first line\\nError: no package today\\nmore about it')"
SLEEPS = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that comes first: a terraform, which nothing here gets to run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "terraform").write_text("#!/bin/sh\nexit 1\n")
    (folder / "terraform").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def checkout(folder: Path, package: str) -> Path:
    """Make a folder with what `up` reads of a checkout, and a program for the function's package; return its infra/."""
    files = {
        "infra/main.tf": "",
        "infra/environments/emulator.tfvars": "",
        "scripts/terraform.py": "",
        "scripts/lambda_package.py": package,
        "requirements/mlflow.txt": "",
        **dict.fromkeys(terraform.DECLARED, ""),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "infra"


def test_without_infra_it_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Terraform here"):
        up.run(up.Params(tmp_path / "local", tmp_path / "infra"))
    assert not (tmp_path / "local").exists()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as error:
            up.run(up.Params(tmp_path / "local", checkout(tmp_path, SLEEPS), port_base=port))
    assert str(error.value).startswith(f"--port-base: cannot use port {port}: ")
    assert not (tmp_path / "local").exists()


def test_a_space_in_the_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has a space"):
        up.run(up.Params(tmp_path / "my home/local", checkout(tmp_path, SLEEPS)))


def test_a_failure_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TaskError) as error:
        up.run(up.Params(tmp_path / "local", checkout(tmp_path, FAILS)))
    assert "Error: no package today more about it" in str(error.value)
    assert not (tmp_path / "local").exists()
    assert not processes.orphans(tmp_path / "local")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "cabstand", "local", "up", "--infra", str(checkout(tmp_path, SLEEPS))]
    env = os.environ | {"CABSTAND_HOME": str(home)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not (home / "local/logs/package.log").exists():
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.1)
        with pytest.raises(TaskError, match=f"process {running.pid} is starting"):
            up.run(up.Params(home / "local", tmp_path / "infra"))
        running.send_signal(number)
        running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert not (home / "local").exists()
    assert not processes.orphans(home / "local")


def test_what_runs_is_left_as_it_is(tmp_path: Path) -> None:
    me = processes.known(os.getpid())
    state = State(tmp_path / "local", parts={"gateway": Part(me.pid, me.started, "http://127.0.0.1:1")})
    state.folder.mkdir()
    state.save()
    assert up.run(up.Params(state.folder, tmp_path / "infra")) == (state, False)


def test_what_is_missing_is_said_with_how_to_install_it(
    installed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("bash", "curl"):
        (installed / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(installed))
    monkeypatch.setattr("cabstand.local.postgres.server.programs", lambda: None)
    postgres, engine = environment.check()
    assert "SQLite" in postgres
    assert "apt-get install postgresql" in postgres
    assert "processes of this Python" in engine
    for name in ("terraform", "curl"):
        (installed / name).unlink()
    caplog.clear()
    with pytest.raises(ConfigError, match=r"^terraform, curl: not installed, and nothing can be used instead") as error:
        environment.check()
    assert "apt-get install curl" in str(error.value)
    assert caplog.messages == [postgres, engine]


def test_a_free_port_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))

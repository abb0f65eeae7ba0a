"""A stack's parts are watched, started again and ended, whatever happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from cabstand.errors import ConfigError, TaskError
from cabstand.local.ports import check_free
from cabstand.local.postgres.server import make_folder, programs
from cabstand.local.stack import down, kept, processes, status, supervisor, terraform
from cabstand.local.stack.state import Part, State, load, required
from small_stack import applied, start
from waiting import until


def wait_for(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.1)


def is_restarted(state: State, name: str) -> bool:
    part = required(state.folder).parts[name]
    return part.restarts == 1 and part.process.alive


def is_free(port: int) -> bool:
    with suppress(ConfigError):
        return check_free(port, "port") == port
    return False


def nothing_is_left(state: State) -> bool:
    until(lambda: is_free(state.ports["emulator"]))  # another process's connection may have the number for a moment
    return not state.folder.exists() and not processes.orphans(state.folder)


def test_a_killed_part_is_started_again_and_that_is_said(stack: State) -> None:
    os.kill(stack.parts["services"].pid, signal.SIGKILL)
    wait_for(lambda: is_restarted(stack, "services"))
    assert "services runs again" in stack.log("supervisor").read_text()
    found = status.run(stack.folder)
    assert found["parts"]["services"]["restarts"] == 1
    assert found["tasks"] == []
    assert all(part["running"] for part in found["parts"].values())


def test_a_killed_emulator_is_not_started_again(stack: State) -> None:
    os.kill(stack.parts["emulator"].pid, signal.SIGKILL)
    wait_for(lambda: required(stack.folder).parts["emulator"].note == supervisor.LOST)
    found = status.run(stack.folder)
    assert not found["parts"]["emulator"]["running"]
    assert found["parts"]["supervisor"]["running"]
    with pytest.raises(TaskError, match="nothing can be kept"):
        down.run(stack.folder, keep=True)
    assert down.run(stack.folder)["ended"] == ["emulator", "services", "supervisor"]
    assert nothing_is_left(stack)


def test_down_leaves_nothing_after_everything_was_killed(stack: State) -> None:
    for part in stack.parts.values():
        os.kill(part.pid, signal.SIGKILL)
    # A process that a part had started, and which lost its parent.
    orphan = subprocess.Popen(["sleep", "60"], env={processes.MARK: str(stack.folder)}, start_new_session=True)
    task = subprocess.Popen(["sleep", "60"], env={"HOME": f"{stack.folder}/runner/task"}, start_new_session=True)
    stranger = subprocess.Popen(["sleep", "60"], env={processes.MARK: "/elsewhere"})
    down.run(stack.folder)
    assert nothing_is_left(stack)
    orphan.wait(1)
    task.wait(1)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert down.run(stack.folder)["ended"] == []


def test_down_needs_no_state(stack: State) -> None:
    stack.file.write_text("{")
    down.run(stack.folder)
    assert nothing_is_left(stack)


def execute(state: State, statement: str) -> psycopg.Cursor[tuple[str]]:
    where = f"host=127.0.0.1 port={state.ports['postgres']} dbname=postgres user=cabstand"
    with psycopg.connect(where, password="it's secret", autocommit=True) as server:  # pragma: allowlist secret
        return server.execute(statement)


def with_database(state: State) -> None:
    """Start PostgreSQL, and create a database."""
    if not programs():
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    start(state, "postgres")
    execute(state, "CREATE DATABASE own")


def has_database(state: State) -> bool:
    return execute(state, "SELECT datname FROM pg_database WHERE datname = 'own'").rowcount == 1


def test_postgres_recovers_with_its_databases(stack: State) -> None:
    with_database(stack)
    folder = (stack.folder / "postgres").resolve()
    os.kill(stack.parts["postgres"].pid, signal.SIGKILL)
    wait_for(lambda: is_restarted(stack, "postgres"))
    assert has_database(stack)
    down.run(stack.folder)
    assert nothing_is_left(stack)
    assert not folder.exists()


def test_databases_are_kept(stack: State) -> None:
    with_database(stack)
    down.run(stack.folder, keep=True)
    assert {path.name for path in stack.folder.iterdir()} == {"kept", "postgres"}
    again = State(stack.folder)
    start(again, "emulator")
    again.facts["outputs"] = applied(again)
    start(again, "postgres")
    assert has_database(again)


def test_a_kept_folder_that_was_cleared_is_made_again(tmp_path: Path) -> None:
    link = tmp_path / "postgres"
    link.symlink_to(tmp_path / "cleared")
    folder = make_folder(link)
    assert folder.is_dir()
    assert link.resolve() == folder.resolve()
    if link.is_symlink():
        folder.rmdir()


def test_a_process_that_got_the_id_of_another_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        found = processes.known(stranger.pid)
        assert found.alive
        earlier = processes.Process(found.pid, found.started - 60)
        assert not earlier.alive
        processes.end(earlier)
        assert stranger.poll() is None
        processes.end(found)
    assert not found.alive


def test_what_ignores_the_polite_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    program = "import signal, subprocess, time; signal.signal(15, signal.SIG_IGN); "
    program += "print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    process = processes.start([sys.executable, "-c", program], tmp_path / "log", {}, tmp_path)
    wait_for(lambda: bool(status.last_line(tmp_path / "log")))
    child = int(status.last_line(tmp_path / "log"))
    processes.end(process, patience_s=0.3)
    assert not process.alive
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_objects_and_keys_are_kept(stack: State) -> None:
    s3 = terraform.client(stack, "s3")
    for key in ("a//b/../ü.txt", "setup/lambda/api.zip"):
        s3.put_object(Bucket="lake", Key=key, Body=b"content")
    given = {"SecretId": stack.facts["outputs"]["keys_secret_arn"], "SecretString": "keys"}  # pragma: allowlist secret
    terraform.client(stack, "secretsmanager").put_secret_value(**given)
    assert down.run(stack.folder, keep=True)["kept"] == 1
    assert sorted(path.name for path in stack.folder.iterdir()) == ["kept"]
    again = State(stack.folder)
    start(again, "emulator")
    again.facts["outputs"] = applied(again)
    kept.restore(again)
    listed = terraform.client(again, "s3").list_objects_v2(Bucket="lake")["Contents"]
    assert [one["Key"] for one in listed] == ["a//b/../ü.txt"]
    found = terraform.client(again, "secretsmanager").get_secret_value(
        SecretId=again.facts["outputs"]["keys_secret_arn"]
    )
    assert found["SecretString"] == "keys"  # pragma: allowlist secret


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = State(
        tmp_path, up=Part(1, 2.5), parts={"mlflow": Part(3, 4.5, "http://x", 1, "note")}, ports={"mlflow": 5}
    )
    written.save()
    assert load(tmp_path) == written
    assert written.file.stat().st_mode & 0o077 == 0

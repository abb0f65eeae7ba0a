"""The real server: swaps and stops under load, slow and rude clients, keys that come and go."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cabstand.api.server import _Server
from cabstand.io import keys
from cabstand.io.predictions import PredictionFiles
from cabstand.settings import Settings
from load import Load, flap
from serving import PREDICT, ROW, Server, get, make_home, make_key, serving
from waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    home = tmp_path_factory.mktemp("home")
    key = make_home(home)
    env = {"CABSTAND_API_TIMEOUT_S": "1", "CABSTAND_API_KEYS_REFRESH_S": "1", "CABSTAND_API_REFRESH_S": "1"}
    with serving(home, home / "server.log", **env) as found:
        yield found, home, key


def test_the_pointer_flaps_under_load(server: tuple[Server, Path, str]) -> None:
    load = flap(*server, seconds=6)
    assert {status for status, *_ in load.answered} == {200}
    assert not load.unanswered
    versions = {record["version"] for record in PredictionFiles(server[1] / "predictions").read()}
    assert versions == {"v1", "v2"}


@pytest.mark.slow
def test_the_pointer_flaps_for_a_minute(server: tuple[Server, Path, str]) -> None:
    load = flap(*server, seconds=60)
    print(f"\n{len(load.answered):,} answers while the pointer moved 60 times")
    assert load.statuses() == {200}


def least_kib(running: Server, home: Path, key: str, seconds: float) -> tuple[Load, int]:
    """Put load on a server whose pointer flaps; return it, and the least memory meanwhile: a swap holds two models."""
    found = []
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(flap, running, home, key, seconds=seconds)
        while not load.done():
            found.append(running.memory_kib())
            time.sleep(0.1)
    return load.result(), min(found)


@pytest.mark.slow
def test_swaps_leave_nothing_in_memory(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    env = {"CABSTAND_API_REFRESH_S": "1", "CABSTAND_PREDICTION_LOG": "off"}  # its queue is as long as the load makes it
    with serving(tmp_path, tmp_path / "server.log", **env) as running:
        flap(running, tmp_path, key, seconds=10)
        _, before = least_kib(running, tmp_path, key, 10)
        load = flap(running, tmp_path, key, seconds=30)
        _, after = least_kib(running, tmp_path, key, 10)
    print(f"\n{len(load.answered):,} answers in 30 swaps, memory {after / before - 1:+.1%} (at most +3 %)")
    assert load.statuses() == {200}
    assert after < 1.03 * before


def test_keys_change_hands_without_a_failure(server: tuple[Server, Path, str]) -> None:
    running, home, _ = server
    settings = Settings(home=home)
    old = make_key(settings, "before")
    time.sleep(1.5)
    with Load(running, old, 4) as first:
        new = make_key(settings, "after")
        time.sleep(1.5)
    with Load(running, new, 4) as second:
        keys.revoke(settings, "before", datetime.now(UTC))
        time.sleep(2.5)
    assert {status for status, *_ in first.answered + second.answered} == {200}
    assert not first.unanswered + second.unanswered
    assert get(f"{running.url}/v1/models", x_api_key=old)[0] == 401


def send(server: Server, *parts: bytes, pause_s: float = 0.0, timeout: float = 12.0) -> bytes:
    """Send raw bytes in parts and return what comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as link:
        got = b""
        try:
            for part in parts:
                link.sendall(part)
                time.sleep(pause_s)
            while chunk := link.recv(65536):
                got += chunk
        except ConnectionError:
            pass  # the server has closed on us, as it may
        return got


def test_a_slow_head_is_cut_off(server: tuple[Server, Path, str]) -> None:
    started = time.monotonic()
    assert send(server[0], b"POST / HTTP/1.1\r\nx: ", *[b"y"] * 20, pause_s=0.4) == b""
    assert time.monotonic() - started < 11


def test_a_slow_body_is_told_so(server: tuple[Server, Path, str]) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\nx-api-key: {server[2]}\r\ncontent-length: 100\r\n\r\n".encode()
    answer = send(server[0], head, b"{", pause_s=0.1)
    assert b" 408 " in answer.splitlines()[0]
    assert b"connection: close" in answer.lower()


def test_a_body_that_nobody_reads_does_not_hold_a_connection(server: tuple[Server, Path, str]) -> None:
    """Refused by its head, answered at once; what follows a byte at a time is not waited for."""
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server[0].port), timeout=5) as link:
        link.sendall(head)
        assert b" 401 " in link.recv(65536).splitlines()[0]
        started = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - started < 15:  # 1 s is the limit for bodies here, and 5 s are added to it
                link.sendall(b"y")
                time.sleep(0.2)


@pytest.mark.slow
def test_a_client_that_takes_no_answers_is_cut_off(server: tuple[Server, Path, str]) -> None:
    running, _, key = server
    body = json.dumps({"rows": [ROW] * 1000}).encode()
    ask = f"POST {PREDICT}/batch HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(("127.0.0.1", running.port))
    started = time.monotonic()
    with link, pytest.raises(ConnectionError):
        while time.monotonic() - started < 60:
            link.sendall(ask.encode() + body)
    with Load(running, key, 2) as load:
        time.sleep(0.5)
    assert load.statuses() == {200}


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 20_000_000,
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n",
    ],
    ids=["20 MB header", "1 MB address", "nonsense", "TLS", "smuggling", "bad length"],
)
def test_rude_heads(server: tuple[Server, Path, str], head: bytes) -> None:
    answer = send(server[0], head)
    assert not answer or b" 4" in answer[:14], answer[:100]
    assert get(f"{server[0].url}/healthz")[0] == 200


def test_a_crowd_of_silent_clients_does_not_matter(server: tuple[Server, Path, str]) -> None:
    crowd = [socket.create_connection(("127.0.0.1", server[0].port)) for _ in range(300)]
    try:
        status, _ = get(f"{server[0].url}/v1/models", x_api_key=server[2])
        assert status == 200
    finally:
        for link in crowd:
            link.close()


def test_a_stop_under_load_loses_no_answer(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    with serving(tmp_path, tmp_path / "server.log") as running, Load(running, key) as load:
        time.sleep(2)
        assert running.stop() == 0
    answered = {request_id for status, request_id, _ in load.answered if status == 200}
    logged = {record["request_id"] for record in PredictionFiles(tmp_path / "predictions").read()}
    assert len(answered) > 20
    assert logged == answered  # whatever was predicted was answered, and the log is whole
    result = json.loads((tmp_path / "server.log").read_text().splitlines()[-1])
    assert result["predictions"] == len(answered)
    assert key not in (tmp_path / "server.log").read_text()


def test_a_log_disk_that_refuses(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    (tmp_path / "predictions").write_text("in the way")
    with serving(tmp_path, tmp_path / "server.log") as running:
        with Load(running, key, 2) as load:
            time.sleep(1.5)
        text = get(f"{running.url}/metrics", x_api_key=key)[1].decode()
        running.stop()
    assert {status for status, *_ in load.answered} == {200}
    assert "cabstand_log_dropped 0" not in text


def test_a_full_disk_under_the_log(tmp_path: Path) -> None:
    """A disk of a megabyte for predictions and for the lines of the log: both fill up, answers go on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        key = make_home(tmp_path)
        (tmp_path / "predictions").symlink_to(disk)
        with serving(tmp_path, disk / "server.log") as running:
            (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 100_000))
            with Load(running, key, 2) as load:
                time.sleep(4)
            text = get(f"{running.url}/metrics", x_api_key=key)[1].decode()
            assert shutil.disk_usage(disk).free < 8192
            (disk / "ballast").unlink()
            with Load(running, key, 1, n_each=20) as again:  # few enough for the room there is
                until(lambda: len(again.answered) + len(again.unanswered) == 20)
            running.stop()
        assert load.statuses() == again.statuses() == {200}
        assert int(re.findall(r"^cabstand_log_dropped (\d+)", text, re.MULTILINE)[0]) > 0
        logged = {record["request_id"] for record in PredictionFiles(disk).read()}
        assert {request_id for _, request_id, _ in again.answered} <= logged  # with room again, it is whole again
        lines = [text for path in disk.glob("*.jsonl") for text in path.read_bytes().splitlines()]
        assert all(json.loads(text)["event"] == "prediction" for text in lines)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_application_that_refuses_to_start_is_not_announced() -> None:
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})

    told: list[str] = []
    # Whether uvicorn then exits or returns depends on its version.
    with socket.create_server(("127.0.0.1", 0)) as listener, suppress(SystemExit):
        config = uvicorn.Config(refuses, log_config=None, log_level="critical")
        _Server(config, lambda: told.append("serving")).run(sockets=[listener])
    assert told == []


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_port_0_prints_the_port_it_got(tmp_path: Path, host: str, shown: str) -> None:
    command = [sys.executable, "-m", "cabstand", "serve", "--no-keys", "--host", host, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            line = next(one for one in lines if "serving on" in one or "cannot listen" in one)
            found = re.match(rf"serving on (http://{re.escape(shown)}:([1-9]\d*)), documentation at /docs", line)
            if host == "::1" and "cannot listen" in line:
                pytest.skip("this machine has no IPv6")
            assert found, line
            deadline = time.monotonic() + 10
            while True:  # bound, and listening a moment later
                try:
                    assert get(f"{found[1]}/healthz")[0] == 200
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            head = urllib.request.Request(f"{found[1]}/healthz", method="HEAD")
            with urllib.request.urlopen(head, timeout=5) as answer:
                assert (answer.status, answer.read()) == (200, b"")
        finally:
            process.terminate()


def test_without_bundles_it_starts_and_recovers(tmp_path: Path) -> None:
    source = tmp_path / "elsewhere"
    key = make_home(source)
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(source / "keys.json", home)
    with serving(home, tmp_path / "server.log", ready=False, CABSTAND_API_REFRESH_S="1") as running:
        assert get(f"{running.url}/readyz")[0] == 503
        shutil.copytree(source / "artifacts", home / "artifacts")
        deadline = time.monotonic() + 20
        while get(f"{running.url}/readyz")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert get(f"{running.url}/v1/models", x_api_key=key)[0] == 200

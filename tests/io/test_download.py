from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cabstand import tlc
from cabstand.errors import StorageError
from cabstand.io import download

BODY = b"PAR1" + bytes(range(256)) * 4_000 + b"PAR1"
POLICY = download.Policy(attempts=4, timeout_s=3, max_wait_s=0.01)
NAME = "/yellow_tripdata_2024-01.parquet"


def whole(request: Request) -> Response:
    """An honest server with ranges."""
    etag = '"v1"'
    asked = request.headers.get("Range")
    if asked and request.headers.get("If-Range") == etag:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": etag, "Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"}
        return Response(BODY[start:], 206, headers)
    return Response(BODY, 200, {"ETag": etag})


def fetch(server: HTTPServer, cache: Path, **options) -> download.Download:
    return download.fetch(server.url_for(NAME), cache, **({"policy": POLICY} | options))


def test_download_is_recorded_and_cached(httpserver: HTTPServer, tmp_path: Path):
    httpserver.expect_request(NAME).respond_with_handler(whole)
    done = fetch(httpserver, tmp_path)
    assert done.path.read_bytes() == BODY
    assert done.sha256 == hashlib.sha256(BODY).hexdigest()
    assert fetch(httpserver, tmp_path) == done
    assert len(httpserver.log) == 1
    assert json.loads(done.path.with_name(f"{done.path.name}.json").read_text())["schema_version"] == 1
    fetch(httpserver, tmp_path, refresh=True)
    assert len(httpserver.log) == 2


def test_a_spoiled_cache_is_fetched_anew(httpserver: HTTPServer, tmp_path: Path):
    httpserver.expect_request(NAME).respond_with_handler(whole)
    fetch(httpserver, tmp_path).path.write_bytes(b"rot")
    assert fetch(httpserver, tmp_path).path.read_bytes() == BODY


def test_500_twice_then_well(httpserver: HTTPServer, tmp_path: Path):
    for status in (500, 503):
        httpserver.expect_ordered_request(NAME).respond_with_data("no", status)
    httpserver.expect_ordered_request(NAME).respond_with_handler(whole)
    assert fetch(httpserver, tmp_path).path.read_bytes() == BODY


def test_500_for_ever(httpserver: HTTPServer, tmp_path: Path):
    httpserver.expect_request(NAME).respond_with_data("no", 500)
    with pytest.raises(StorageError, match="after 4 attempts: the server answered 500"):
        fetch(httpserver, tmp_path)
    assert len(httpserver.log) == 4
    assert not list(tmp_path.glob("*.parquet"))


def test_404_is_not_retried(httpserver: HTTPServer, tmp_path: Path):
    with pytest.raises(StorageError, match="answered 500"):  # the server has no handler
        fetch(httpserver, tmp_path)
    httpserver.clear()
    httpserver.expect_request(NAME).respond_with_data("no", 404)
    with pytest.raises(StorageError, match=r"answered 404.*published"):
        fetch(httpserver, tmp_path)
    assert len(httpserver.log) == 1


def test_no_redirect_is_followed(httpserver: HTTPServer, tmp_path: Path):
    elsewhere = httpserver.url_for("/elsewhere?token=abc")
    httpserver.expect_request(NAME).respond_with_data("", 302, {"Location": elsewhere})
    with pytest.raises(StorageError, match=r"redirects to .*/elsewhere ") as caught:
        fetch(httpserver, tmp_path)
    assert "abc" not in str(caught.value)
    assert len(httpserver.log) == 1


Script = Callable[[str], tuple[bytes, bytes]]


@pytest.fixture
def raw_server() -> Iterator[Callable[[Script], str]]:
    """A server that sends whatever bytes a script says, and then closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    scripts: list[Script] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                head, body = scripts[0](request.decode().lower())
                connection.sendall(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)

    thread = threading.Thread(target=serve)
    thread.start()

    def start(script: Script) -> str:
        scripts[:] = [script]
        return f"http://127.0.0.1:{listener.getsockname()[1]}{NAME}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def start_of(request: str) -> int:
    return int(request.split("\nrange: bytes=")[1].split("-", maxsplit=1)[0]) if "\nrange: bytes=" in request else 0


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', ""])
def test_dropped_connections_are_resumed_where_that_is_safe(raw_server, tmp_path: Path, etag: str):
    starts: list[int] = []

    def script(request: str) -> tuple[bytes, bytes]:
        start = start_of(request)
        starts.append(start)
        last = len(starts) == 4
        end = len(BODY) if last else start + 300_000
        status = f"206 Partial\nContent-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}" if start else "200 OK"
        head = f"HTTP/1.1 {status}\nContent-Length: {len(BODY) - start}\nETag: {etag}"
        return head.encode(), BODY[start:end]

    done = download.fetch(raw_server(script), tmp_path, policy=POLICY)
    assert done.path.read_bytes() == BODY
    assert starts == ([0, 300_000, 600_000, 900_000] if etag == '"v1"' else [0, 0, 0, 0])


def test_resume_after_a_killed_run(raw_server, tmp_path: Path):
    def broken(request: str) -> tuple[bytes, bytes]:
        return f'HTTP/1.1 200 OK\nETag: "v1"\nContent-Length: {len(BODY)}'.encode(), BODY[:1000]

    url = raw_server(broken)
    with pytest.raises(StorageError, match="resumes"):
        download.fetch(url, tmp_path, policy=download.Policy(attempts=1, timeout_s=3))
    starts: list[int] = []

    def honest(request: str) -> tuple[bytes, bytes]:
        start = start_of(request)
        starts.append(start)
        head = f'HTTP/1.1 206 Partial\nETag: "v1"\nContent-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}'
        return f"{head}\nContent-Length: {len(BODY) - start}".encode(), BODY[start:]

    raw_server(honest)
    assert download.fetch(url, tmp_path, policy=POLICY).path.read_bytes() == BODY
    assert starts == [1000]


def test_file_changed_on_the_server_meanwhile(raw_server, tmp_path: Path):
    new = b"PAR1" + b"n" * 5000 + b"PAR1"
    n_asked = 0

    def script(request: str) -> tuple[bytes, bytes]:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 1:
            return f'HTTP/1.1 200 OK\nETag: "v1"\nContent-Length: {len(BODY)}'.encode(), BODY[:9000]
        if start_of(request) and n_asked == 2:
            return b"HTTP/1.1 416 No\nContent-Length: 0", b""
        return f'HTTP/1.1 200 OK\nETag: "v2"\nContent-Length: {len(new)}'.encode(), new

    assert download.fetch(raw_server(script), tmp_path, policy=POLICY).path.read_bytes() == new


@pytest.mark.parametrize("announced", [len(BODY) + 500, len(BODY) - 500])
def test_a_length_that_lies(raw_server, tmp_path: Path, announced: int):
    def script(request: str) -> tuple[bytes, bytes]:
        return f"HTTP/1.1 200 OK\nContent-Length: {announced}".encode(), BODY

    with pytest.raises(StorageError, match="download failed after 4 attempts"):
        download.fetch(raw_server(script), tmp_path, policy=POLICY)
    assert not list(tmp_path.glob("*.parquet"))


def test_resumed_at_another_place(raw_server, tmp_path: Path):
    def script(request: str) -> tuple[bytes, bytes]:
        if start_of(request):
            head = f'HTTP/1.1 206 Partial\nETag: "v1"\nContent-Range: bytes 5-{len(BODY) - 1}/{len(BODY)}'
            return f"{head}\nContent-Length: {len(BODY) - 5}".encode(), BODY[5:]
        return f'HTTP/1.1 200 OK\nETag: "v1"\nContent-Length: {len(BODY)}'.encode(), BODY[:1000]

    with pytest.raises(StorageError, match="wrong offset"):
        download.fetch(raw_server(script), tmp_path, policy=POLICY)


def test_larger_than_allowed(raw_server, tmp_path: Path):
    policy = download.Policy(attempts=1, timeout_s=3, max_bytes=1000)
    announced = raw_server(lambda request: (f"HTTP/1.1 200 OK\nContent-Length: {len(BODY)}".encode(), BODY))
    with pytest.raises(StorageError, match="announces"):
        download.fetch(announced, tmp_path, policy=policy)
    silent = raw_server(lambda request: (b"HTTP/1.1 200 OK\nConnection: close", BODY))
    with pytest.raises(StorageError, match="more than 1,000 bytes"):
        download.fetch(silent, tmp_path, policy=policy)


def test_nobody_there(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StorageError, match="does not answer"):
        download.fetch(
            f"http://user:secret@127.0.0.1:{port}/f.parquet", tmp_path, policy=POLICY
        )  # pragma: allowlist secret


@pytest.mark.parametrize("url", ["http://[broken/", "http:///nowhere.parquet", "https://a b/c"])
def test_no_address(tmp_path: Path, url: str):
    with pytest.raises(StorageError):
        download.fetch(url, tmp_path, policy=POLICY)


def test_hostile_names_stay_in_the_cache(httpserver: HTTPServer, tmp_path: Path):
    httpserver.expect_request(re.compile(".*")).respond_with_data("x")
    cache = tmp_path / "cache"
    done = download.fetch(httpserver.url_for("/a/..%2f..%2fetc%2fpasswd"), cache, policy=POLICY)
    assert done.path.parent == cache


def test_addresses():
    assert (
        tlc.month_url("https://h/t/", "https://u", "green", "2024-01") == "https://h/t/green_tripdata_2024-01.parquet"
    )
    assert tlc.month_url("https://h/t", "https://u", "uber", "2014-04") == "https://u/uber-raw-data-apr14.csv"
    assert download.public("https://me:pw@h:8443/p?sig=1#f") == "https://h:8443/p"  # pragma: allowlist secret

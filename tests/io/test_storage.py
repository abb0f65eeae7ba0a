"""One behaviour for both keepers of objects."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from cabstand.errors import AbsentError, ConfigError, ConflictError, DataError
from cabstand.io import s3, storage


@pytest.fixture(params=["disk", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "store")
    return f"s3://{request.getfixturevalue('bucket')}/store"


def test_what_is_written_is_read(base: str) -> None:
    uri = storage.join(base, "a", "b.bin")
    assert not storage.exists(uri)
    storage.write(uri, b"one")
    storage.write(uri, b"two")
    assert storage.read(uri) == b"two"
    assert storage.list_under(base) == [uri]
    storage.delete(uri)
    storage.delete(uri)
    assert storage.list_under(base) == []


def test_absent_is_one_line(base: str) -> None:
    with pytest.raises(AbsentError) as caught:
        storage.read(storage.join(base, "nothing"))
    assert "\n" not in str(caught.value)
    assert "nothing" in str(caught.value)


def test_put_if_lets_one_writer_win(base: str) -> None:
    uri = storage.join(base, "pointer.json")
    first = storage.put_if(uri, b"1", None)
    with pytest.raises(ConflictError):
        storage.put_if(uri, b"again", None)
    second = storage.put_if(uri, b"2", first)
    with pytest.raises(ConflictError):
        storage.put_if(uri, b"late", first)
    assert storage.read_tagged(uri) == (b"2", second)


def test_put_if_under_a_race_on_disk(tmp_path: Path) -> None:
    uri = str(tmp_path / "pointer.json")
    tag = storage.put_if(uri, b"0", None)
    won: list[int] = []

    def attempt(number: int) -> None:
        try:
            storage.put_if(uri, str(number).encode(), tag)
            won.append(number)
        except ConflictError:
            pass

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read(uri) == str(won[0]).encode()


def test_a_listing_goes_on_while_others_write(base: str) -> None:
    """Temporary files come and go while folders are listed."""
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            storage.write(storage.join(base, "deep", f"{number % 3}"), b"x")
            number += 1

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        found = [storage.list_under(base) for _ in range(100)]
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert all(not any(".part" in uri for uri in one) for one in found)


def test_a_failed_block_publishes_nothing(base: str) -> None:
    uri = storage.join(base, "x.parquet")
    with pytest.raises(RuntimeError), storage.staged(uri) as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert storage.list_under(base) == []
    with storage.staged(uri) as path:
        path.write_bytes(b"whole")
    with storage.fetched(uri) as path:
        assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("uri", ["ftp://host/x", "s3:///x"])
def test_an_address_that_cannot_be(uri: str) -> None:
    with pytest.raises(ConfigError):
        storage.read(uri)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("run.html", "text/html; charset=utf-8"), ("map.png", "image/png"), ("a.csv", "text/csv; charset=utf-8")],
)
def test_a_browser_opens_what_is_for_people(bucket: str, name: str, kind: str) -> None:
    """An object without a type is saved, not shown."""
    import boto3

    put, staged, new = (f"s3://{bucket}/{way}/{name}" for way in ("put", "staged", "new"))
    storage.write(put, b"{}")
    storage.put_if(new, b"{}", None)
    with storage.staged(staged) as path:
        path.write_bytes(b"{}")
    for uri in (put, staged, new):
        assert boto3.client("s3").head_object(Bucket=bucket, Key=uri.split("/", 3)[3])["ContentType"] == kind


def test_an_object_comes_without_its_length(
    bucket: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a proxy that passes bodies on in chunks."""
    httpserver.expect_request(f"/{bucket}/a").respond_with_handler(
        lambda _: Response(iter([b"one", b"two"]), headers={"ETag": '"1"'})
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for(""))
    s3.client.cache_clear()
    uri = f"s3://{bucket}/a"
    assert storage.read(uri) == storage.read(uri, 6) == b"onetwo"
    with pytest.raises(DataError, match="6 bytes, more than the 5 allowed"):
        storage.read(uri, 5)

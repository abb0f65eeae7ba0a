"""The pointer under a store that races, loses answers and is busy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import ConflictError, StorageError
from cabstand.io import pointer, s3, storage
from cabstand.modelling.pointer import Pointer, first, parse_pointer

STAMP = {"who": "tester", "why": "test"}


@pytest.fixture(params=["disk", "s3"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "artifacts")
    request.getfixturevalue("atomic_puts")
    return f"s3://{request.getfixturevalue('bucket')}/artifacts"


@pytest.fixture
def start(artifacts: str) -> Pointer:
    return pointer.write(artifacts, first("iris", "v0"), None, None, **STAMP)


def test_twenty_promoters_one_winner(artifacts: str, start: Pointer) -> None:
    outcome: dict[int, Pointer | None] = {}
    current, tag = pointer.read(artifacts, "iris")
    assert current is not None
    barrier, stop, seen = threading.Barrier(20), threading.Event(), []

    def promote(number: int) -> None:
        barrier.wait()
        try:
            outcome[number] = pointer.write(artifacts, current.promoted(f"v{number}"), current, tag, **STAMP)
        except ConflictError:
            outcome[number] = None

    def watch() -> None:
        while not stop.is_set():
            seen.append(parse_pointer(storage.read(pointer.uri(artifacts, "iris"))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=promote, args=(number,)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    won = [written for written in outcome.values() if written]
    final, _ = pointer.read(artifacts, "iris")
    assert len(outcome) == 20
    assert won == [final]
    assert final is not None
    assert (final.sequence, final.previous) == (2, "v0")
    assert {one.sequence for one in seen} <= {1, 2}


def _faulty(faults: Iterator[Callable[..., str] | None]) -> Callable[..., str]:
    real = storage.put_if

    def put_if(uri: str, data: bytes, tag: str | None) -> str:
        fault = next(faults, None)
        return fault(real, uri, data, tag) if fault else real(uri, data, tag)

    return put_if


def _lost(real: Callable[..., str], *args: Any) -> str:
    real(*args)
    raise ConflictError("412: the retry met our own write")


def _lost_and_silent(real: Callable[..., str], *args: Any) -> str:
    real(*args)
    raise StorageError("S3 does not answer")


def _busy(real: Callable[..., str], *args: Any) -> str:
    del real, args
    raise StorageError("S3 refused: SlowDown (503)")


def _raced(real: Callable[..., str], *args: Any) -> str:
    del real, args
    raise ConflictError("409 ConditionalRequestConflict")


@pytest.mark.parametrize("faults", [[_lost], [_lost_and_silent], [_busy, _busy], [_raced], [_raced, _busy, _lost]])
def test_an_unclear_answer_is_settled(
    faults: list[Any], artifacts: str, start: Pointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    current, tag = pointer.read(artifacts, "iris")
    assert current is not None
    monkeypatch.setattr(storage, "put_if", _faulty(iter(faults)))
    written = pointer.write(artifacts, current.promoted("v1"), current, tag, **STAMP)
    assert pointer.read(artifacts, "iris")[0] == written
    assert written.sequence == 2


def test_a_store_that_stays_busy_is_told(artifacts: str, start: Pointer, monkeypatch: pytest.MonkeyPatch) -> None:
    current, tag = pointer.read(artifacts, "iris")
    assert current is not None
    monkeypatch.setattr(pointer.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(storage, "put_if", _faulty(iter([_busy] * 9)))
    with pytest.raises(StorageError, match="SlowDown"):
        pointer.write(artifacts, current.promoted("v1"), current, tag, **STAMP)
    assert pointer.read(artifacts, "iris")[0] == start


def test_somebody_elses_write_is_never_taken_for_ours(artifacts: str, start: Pointer) -> None:
    current, tag = pointer.read(artifacts, "iris")
    assert current is not None
    pointer.write(artifacts, current.promoted("v1"), current, tag, **STAMP)
    # The same content again, by another writer who read the same pointer.
    with pytest.raises(ConflictError):
        pointer.write(artifacts, current.promoted("v1"), current, tag, **STAMP)


def _lost_on_the_way(request: Any) -> None:
    """The store does as asked, and its answer never comes."""
    from botocore.exceptions import ConnectionClosedError
    from botocore.httpsession import URLLib3Session

    assert URLLib3Session().send(request).status_code == 200
    raise ConnectionClosedError(endpoint_url=request.url)


def _refusal(status: int, code: str) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        raw = type("Raw", (), {"stream": lambda self: iter([body])})()
        return AWSResponse(request.url, status, {"content-type": "application/xml"}, raw)

    return answer


@pytest.mark.parametrize(
    "answers",
    [
        [_lost_on_the_way],
        [_refusal(409, "ConditionalRequestConflict")],
        [_refusal(503, "SlowDown")] * 2,
        [_refusal(409, "ConditionalRequestConflict"), _refusal(503, "SlowDown"), _lost_on_the_way],
    ],
    ids=["lost", "409", "503 twice", "409, 503, lost"],
)
def test_what_s3_answers_is_settled(answers: list[Callable[[Any], Any]], bucket: str) -> None:
    """As above, through the SDK with its own retries."""
    place, left = f"s3://{bucket}/artifacts", list(answers)
    pointer.write(place, first("iris", "v0"), None, None, **STAMP)
    current, tag = pointer.read(place, "iris")
    assert current is not None

    def misbehave(request: Any, **_: Any) -> Any:
        return left.pop(0)(request) if left else None

    s3.client().meta.events.register("before-send.s3.PutObject", misbehave)
    written = pointer.write(place, current.promoted("v1"), current, tag, **STAMP)
    assert not left
    assert pointer.read(place, "iris")[0] == written
    assert (written.sequence, written.champion) == (2, "v1")

"""Request a file once, resuming where the last request stopped.

It resumes only if the file still has the same strong ETag (RFC 9110, 13.1.5). Redirects are not followed: only the
given address is requested.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2

from cabstand.errors import StorageError

_RETRIED = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Policy:
    """How often to request one file, how long to wait for the server and between attempts, and how much to accept."""

    attempts: int = 6
    timeout_s: float = 30.0
    max_wait_s: float = 20.0
    max_bytes: int = 8 * 2**30


class TransientError(Exception):
    """Worth another attempt."""


def public(url: str) -> str:
    """Return `url` without credentials and query, fit to be written down."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def attempt(client: httpx2.Client, url: str, part: Path, policy: Policy, advance: Callable[[float], None]) -> str:
    """Request `url` once, from where the last attempt stopped, and return the file's ETag.

    `part` holds what has been received so far, and the whole file when this returns; `advance` is called with the
    number of bytes received.

    Raises
    ------
    TransientError
        If another attempt may succeed.
    StorageError
        If not.
    """
    have, etag = _resumable(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-", "If-Range": etag} if have else {})
    with _transport(), client.stream("GET", url, headers=headers) as answer:
        _check_status(answer, url, part)
        start = have if answer.status_code == 206 else 0
        total = _total(answer, start)
        if total is not None and total > policy.max_bytes:
            raise StorageError(f"announces {total:,} bytes, more than {policy.max_bytes:,}", where=public(url))
        etag = answer.headers.get("etag", "")
        etag_file(part).write_text(etag)
        size = _receive(answer, part, start, policy.max_bytes, advance)
    if total is not None and size != total:
        if size > total:
            part.unlink(missing_ok=True)
        raise TransientError(f"received {size:,} of {total:,} announced bytes")
    if not _whole(part, url):
        part.unlink(missing_ok=True)
        raise TransientError("the file is incomplete: the server announced fewer bytes than it has")
    return etag


@contextmanager
def _transport() -> Iterator[None]:
    try:
        yield
    except httpx2.UnsupportedProtocol:
        raise
    except httpx2.TransportError as error:
        raise TransientError(f"the server does not answer: {str(error) or type(error).__name__}") from error


def _check_status(answer: httpx2.Response, url: str, part: Path) -> None:
    status = answer.status_code
    if status in {200, 206}:
        return
    if status == 416:  # what we have is not the beginning of the server's file
        part.unlink(missing_ok=True)
        raise TransientError("the file on the server has changed")
    if status in _RETRIED:
        raise TransientError(f"the server answered {status}")
    if answer.is_redirect:
        raise StorageError(f"redirects to {public(answer.headers.get('location', '?'))}", where=public(url),
                           hint="redirects are not followed; give that address if you trust it")  # fmt: skip
    hint = "is that month published?" if status in {403, 404} else None
    raise StorageError(f"the server answered {status}", where=public(url), hint=hint)


def _total(answer: httpx2.Response, start: int) -> int | None:
    """Return the size of the whole file that the server announces, or None."""
    if answer.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", ""))
        if not match or int(match[1]) != start:
            raise TransientError("the server resumed at another offset")
        return None if match[2] == "*" else int(match[2])
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


def _receive(answer: httpx2.Response, part: Path, start: int, limit: int, advance: Callable[[float], None]) -> int:
    with part.open("r+b" if start else "wb") as handle:
        handle.truncate(start)
        handle.seek(start)
        for chunk in answer.iter_raw():  # as received: larger chunks would be lost with the connection
            handle.write(chunk)
            advance(len(chunk))
            if handle.tell() > limit:
                raise StorageError(f"more than {limit:,} bytes", where=public(str(answer.url)))
        handle.flush()
        os.fsync(handle.fileno())
        return handle.tell()


def _resumable(part: Path) -> tuple[int, str]:
    """Return the number of bytes we have and their strong ETag; 0 where that is unknown."""
    try:
        etag = etag_file(part).read_text()
        return (part.stat().st_size, etag) if etag.startswith('"') else (0, "")
    except OSError:
        return 0, ""


def etag_file(part: Path) -> Path:
    """Return the path of the ETag of a partial file."""
    return part.with_name(f"{part.name}.etag")


def _whole(part: Path, url: str) -> bool:
    """Say whether a Parquet file has its end; other formats do not mark it."""
    if not urlsplit(url).path.endswith(".parquet"):
        return True
    with part.open("rb") as handle:
        if handle.seek(0, os.SEEK_END) < 12:
            return False
        handle.seek(-4, os.SEEK_END)
        return handle.read() == b"PAR1"

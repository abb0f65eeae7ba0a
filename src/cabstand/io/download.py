"""Download public files into a cache, with retries, resume and a recorded SHA-256.

A download is resumed only if the file still has the same strong ETag (RFC 9110, 13.1.5). Redirects are not followed:
only the given address is requested.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand.errors import AbsentError, StorageError
from cabstand.io import disk
from cabstand.io.provenance import sha256_file

_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """How often to request one file, how long to wait for the server and between attempts, and how much to accept."""

    attempts: int = 6
    timeout_s: float = 30.0
    max_wait_s: float = 20.0
    max_bytes: int = 8 * 2**30


@dataclass(frozen=True)
class Download:
    """A downloaded file: its path in the cache, its address without credentials, hash, ETag and size in bytes."""

    path: Path
    url: str
    sha256: str
    etag: str
    size: int


class _TransientError(Exception):
    """Another attempt may succeed."""


def public(url: str) -> str:
    """Return `url` without credentials and query, fit for logs and records."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, (parts.hostname or "") + port, parts.path, "", ""))


def fetch(
    url: str, cache: Path, *, policy: Policy, refresh: bool = False, advance: Callable[[int], None] = lambda n: None
) -> Download:
    """Return `url`'s content from the folder `cache`, or download it there; with `refresh`, download it in any case.

    `advance` is called with each number of bytes received. A StorageError is raised if the server refuses, redirects,
    or does not give the complete file within the policy's attempts.
    """
    try:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rsplit("/", 1)[-1])[-80:].lstrip(".") or "file"
    except ValueError as error:
        raise StorageError(f"not an address: {error}", where=url[:200]) from error
    target = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"
    try:
        # One download of a file at a time; the second one finds it cached.
        with disk.locked(target.with_name(f"{target.name}.lock")):
            found = None if refresh else _cached(target, url)
            return found or _download(url, target, policy, advance)
    except OSError as error:
        raise StorageError(f"cannot write the cache: {(error.strerror or str(error)).lower()}", where=cache) from error


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _cached(target: Path, url: str) -> Download | None:
    """Return the cached file, if it still matches its record."""
    try:
        record = json.loads(_record(target).read_text())
        if record["sha256"] == sha256_file(target):
            return Download(target, public(url), record["sha256"], record["etag"], record["size"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _download(url: str, target: Path, policy: Policy, advance: Callable[[int], None]) -> Download:
    part = target.with_name(f"{target.name}.part")
    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_random_exponential(multiplier=0.2, max=policy.max_wait_s),
        retry=retry_if_exception_type(_TransientError),
        before_sleep=lambda state: _log_retry(url, state),
        reraise=True,
    )
    try:
        with httpx2.Client(timeout=policy.timeout_s, follow_redirects=False) as client:
            etag = retrying(_attempt, client, url, part, policy, advance)
    except _TransientError as error:
        what = f"download failed after {policy.attempts} attempts: {error}"
        raise StorageError(what, where=public(url), hint="the next attempt resumes it") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StorageError(f"download failed: {error}", where=public(url)) from error
    done = Download(target, public(url), sha256_file(part), etag, part.stat().st_size)
    part.replace(target)
    record = json.dumps(asdict(done) | {"path": target.name, "schema_version": 1})
    disk.write(str(_record(target)), record.encode())
    _etag_file(part).unlink(missing_ok=True)
    return done


def _log_retry(url: str, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("download of %s: %s; trying again", public(url), error)


def _attempt(client: httpx2.Client, url: str, part: Path, policy: Policy, advance: Callable[[int], None]) -> str:
    """Request `url` once, from where the last attempt stopped, and return the file's ETag."""
    have, etag = _resumable(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-", "If-Range": etag} if have else {})
    try:
        with client.stream("GET", url, headers=headers) as answer:
            _check_status(answer, url, part)
            start = have if answer.status_code == 206 else 0
            total = _total(answer, start)
            if total is not None and total > policy.max_bytes:
                raise StorageError(f"announces {total:,} bytes, more than {policy.max_bytes:,}", where=public(url))
            etag = answer.headers.get("etag", "")
            _etag_file(part).write_text(etag)
            size = _receive(answer, part, start, policy.max_bytes, advance)
    except httpx2.UnsupportedProtocol:
        raise
    except httpx2.TransportError as error:
        raise _TransientError(f"the server does not answer: {str(error) or type(error).__name__}") from error
    if total is not None and size < total:
        raise _TransientError(f"received {size:,} of {total:,} bytes")
    if total is not None and size > total:
        part.unlink()
        raise _TransientError("received more bytes than announced")
    if not _is_complete(part, url):
        part.unlink()
        raise _TransientError("the file is incomplete")
    return etag


def _resumable(part: Path) -> tuple[int, str]:
    """Return the number of bytes received so far and their strong ETag; 0 where that is unknown."""
    try:
        etag = _etag_file(part).read_text()
        return (part.stat().st_size, etag) if etag.startswith('"') else (0, "")
    except OSError:
        return 0, ""


def _check_status(answer: httpx2.Response, url: str, part: Path) -> None:
    status = answer.status_code
    if status in {200, 206}:
        return
    if status == 416:  # what we have is not the beginning of the server's file
        part.unlink(missing_ok=True)
        raise _TransientError("the file changed on the server")
    if status in _RETRIED:
        raise _TransientError(f"the server answered {status}")
    if answer.is_redirect:
        what = f"redirects to {public(answer.headers.get('location', '?'))}"
        trust = "redirects are not followed; give that address if you trust it"
        raise StorageError(what, where=public(url), hint=trust)
    what, where = f"the server answered {status}", public(url)
    if status in {403, 404}:  # the TLC's server answers 403 for what it does not have
        raise AbsentError(what, where=where, hint="is that month published?")
    raise StorageError(what, where=where)


def _total(answer: httpx2.Response, start: int) -> int | None:
    """Return the size of the complete file that the server announces, or None."""
    if answer.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", ""))
        if not match or int(match[1]) != start:
            raise _TransientError("the server resumed at the wrong offset")
        return None if match[2] == "*" else int(match[2])
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


def _receive(answer: httpx2.Response, part: Path, start: int, limit: int, advance: Callable[[int], None]) -> int:
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


def _is_complete(part: Path, url: str) -> bool:
    """Return whether a Parquet file has its end; other formats do not mark it."""
    if not urlsplit(url).path.endswith(".parquet"):
        return True
    with part.open("rb") as handle:
        if handle.seek(0, os.SEEK_END) < 12:
            return False
        handle.seek(-4, os.SEEK_END)
        return handle.read() == b"PAR1"

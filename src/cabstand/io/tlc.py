"""Download of public files: retries, resume, a cache, a recorded sha256.

No redirect is followed: a request goes to the address that was named and to no other. A partial file is kept beside the
cache and resumed only if the server still names it by the same strong ETag (RFC 9110, 13.1.5).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand.errors import StorageError

logger = logging.getLogger(__name__)

_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 2**20


@dataclass(frozen=True)
class Policy:
    """How hard to try, and how much to take.

    Attributes
    ----------
    attempts : int
        Requests for one file.
    timeout_s : float
        Longest silence of the server.
    max_wait_s : float
        Longest pause between two attempts.
    max_bytes : int
        Largest file taken.
    """

    attempts: int = 6
    timeout_s: float = 30.0
    max_wait_s: float = 20.0
    max_bytes: int = 8 * 2**30


@dataclass(frozen=True)
class Download:
    """A file that was fetched.

    Attributes
    ----------
    path : Path
        Where it stands in the cache.
    url : str
        Where it came from, without credentials.
    sha256, etag : str
        Of its content; as the server named it.
    size : int
        Bytes.
    """

    path: Path
    url: str
    sha256: str
    etag: str
    size: int


class _TransientError(Exception):
    """Worth another attempt."""


def month_url(base: str, uber_base: str, dataset: str, month: str) -> str:
    """Return the address of a month, as the TLC (and the publisher of the Uber pickups) name their files."""
    if dataset != "uber":
        return f"{base.rstrip('/')}/{dataset}_tripdata_{month}.parquet"
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    return f"{uber_base.rstrip('/')}/uber-raw-data-{names[int(month[5:]) - 1]}{month[2:4]}.csv"


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def public(url: str) -> str:
    """Return `url` without credentials and query, fit to be written down."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def fetch(
    url: str,
    cache: Path,
    *,
    policy: Policy | None = None,
    refresh: bool = False,
    advance: Callable[[float], None] = lambda done: None,
) -> Download:
    """Return `url`'s content from the cache, or download it there.

    Parameters
    ----------
    url : str
        http or https address.
    cache : Path
        Folder of downloaded files; each stands beside a record of its address, size, ETag and sha256.
    policy : Policy, optional
        How hard to try.
    refresh : bool
        Download even what is cached.
    advance : callable
        Told of bytes received.

    Raises
    ------
    StorageError
        If the server does not give a whole file within the attempts, refuses, or redirects.
    """
    policy = policy or Policy()
    target = _place(cache, url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            found = None if refresh else _cached(target, url)
            return found or _download(url, target, policy, advance)
    except OSError as error:
        raise StorageError(f"cannot write the cache: {(error.strerror or str(error)).lower()}", where=cache) from error


def _place(cache: Path, url: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rsplit("/", 1)[-1])[-80:].lstrip(".") or "file"
    return cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _cached(target: Path, url: str) -> Download | None:
    """Return the cached file, if it is still what its record says."""
    try:
        noted = json.loads(_record(target).read_text())
        if noted["sha256"] == sha256_of(target):
            return Download(target, public(url), noted["sha256"], noted["etag"], noted["size"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _download(url: str, target: Path, policy: Policy, advance: Callable[[float], None]) -> Download:
    part = target.with_name(f"{target.name}.part")
    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_random_exponential(multiplier=0.2, max=policy.max_wait_s),
        retry=retry_if_exception_type((_TransientError, httpx2.TransportError)),
        before_sleep=lambda state: _tell(url, state),
        reraise=True,
    )
    try:
        with httpx2.Client(timeout=policy.timeout_s, follow_redirects=False) as client:
            etag = str(retrying(_attempt, client, url, part, policy, advance))
    except _TransientError as error:
        raise StorageError(f"no whole file in {policy.attempts} attempts: {error}", where=public(url),
                           hint="try again later; what came is kept and resumed") from error  # fmt: skip
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StorageError(f"does not answer: {str(error) or type(error).__name__}", where=public(url)) from error
    done = Download(target, public(url), sha256_of(part), etag, part.stat().st_size)
    part.replace(target)
    _write_record(target, done)
    _etag_file(part).unlink(missing_ok=True)
    return done


def _attempt(client: httpx2.Client, url: str, part: Path, policy: Policy, advance: Callable[[float], None]) -> str:
    """Ask once, from where the last attempt ended, and return the file's ETag."""
    have, etag = _resumable(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-", "If-Range": etag} if have else {})
    with client.stream("GET", url, headers=headers) as answer:
        _check_status(answer, url, part)
        start = have if answer.status_code == 206 else 0
        total = _total(answer, start)
        if total is not None and total > policy.max_bytes:
            raise StorageError(f"announces {total:,} bytes, more than {policy.max_bytes:,}", where=public(url))
        etag = answer.headers.get("etag", "")
        _etag_file(part).write_text(etag)
        size = _receive(answer, part, start, policy.max_bytes, advance)
    if total is not None and size != total:
        if size > total:
            part.unlink(missing_ok=True)
        raise _TransientError(f"{size:,} bytes came of {total:,} announced")
    if not _whole(part, url):
        part.unlink(missing_ok=True)
        raise _TransientError("the file has no end: the server announced less than it has")
    return etag


def _check_status(answer: httpx2.Response, url: str, part: Path) -> None:
    status = answer.status_code
    if status in {200, 206}:
        return
    if status == 416:  # what we hold is not a beginning of what the server has
        part.unlink(missing_ok=True)
        raise _TransientError("the server has another file now")
    if status in _RETRIED:
        raise _TransientError(f"the server answered {status}")
    if answer.is_redirect:
        raise StorageError(f"redirects to {public(answer.headers.get('location', '?'))}", where=public(url),
                           hint="no redirect is followed; name that address if you trust it")  # fmt: skip
    hint = "is that month published?" if status in {403, 404} else None
    raise StorageError(f"the server answered {status}", where=public(url), hint=hint)


def _total(answer: httpx2.Response, start: int) -> int | None:
    """Bytes of the whole file by the server's word, None if it gives none."""
    if answer.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", ""))
        if not match or int(match[1]) != start:
            raise _TransientError("the server resumed at another place")
        return None if match[2] == "*" else int(match[2])
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


def _receive(answer: httpx2.Response, part: Path, start: int, limit: int, advance: Callable[[float], None]) -> int:
    with part.open("r+b" if start else "wb") as handle:
        handle.truncate(start)
        handle.seek(start)
        for chunk in answer.iter_raw(_CHUNK):
            handle.write(chunk)
            advance(len(chunk))
            if handle.tell() > limit:
                raise StorageError(f"more than {limit:,} bytes", where=public(str(answer.url)))
        handle.flush()
        os.fsync(handle.fileno())
        return handle.tell()


def _resumable(part: Path) -> tuple[int, str]:
    """Bytes we hold and the strong ETag they belong to; 0 where that is not known."""
    try:
        etag = _etag_file(part).read_text()
        return (part.stat().st_size, etag) if etag.startswith('"') else (0, "")
    except OSError:
        return 0, ""


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _whole(part: Path, url: str) -> bool:
    """Parquet says itself where it ends; of other formats the reader finds out."""
    if not urlsplit(url).path.endswith(".parquet"):
        return True
    with part.open("rb") as handle:
        if handle.seek(0, os.SEEK_END) < 12:
            return False
        handle.seek(-4, os.SEEK_END)
        return handle.read() == b"PAR1"


def _write_record(target: Path, done: Download) -> None:
    noted = asdict(done) | {"path": target.name, "schema_version": 1}
    fresh = target.with_name(f"{target.name}.json.part")
    fresh.write_text(json.dumps(noted))
    fresh.replace(_record(target))


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """One download of a file at a time; the second finds it done."""
    with target.with_name(f"{target.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _tell(url: str, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("download of %s: %s; trying again", public(url), error)

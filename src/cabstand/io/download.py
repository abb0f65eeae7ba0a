"""Download public files into a cache, with retries, resume and a recorded SHA-256."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand.errors import StorageError
from cabstand.io import disk
from cabstand.io.provenance import sha256_file
from cabstand.io.resume import Policy, TransientError, attempt, etag_file, public

logger = logging.getLogger(__name__)

__all__ = ["Download", "Policy", "fetch", "public"]


@dataclass(frozen=True)
class Download:
    """A downloaded file: its path in the cache, its address without credentials, hash, ETag and size in bytes."""

    path: Path
    url: str
    sha256: str
    etag: str
    size: int


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
        Folder of downloaded files; each is beside a record of its address, size, ETag and SHA-256.
    policy : Policy, optional
        How often and how long to try.
    refresh : bool
        Download even what is cached.
    advance : callable
        Is called with the number of bytes received.

    Raises
    ------
    StorageError
        If the server refuses, redirects, or does not give the whole file within the attempts.
    """
    policy = policy or Policy()
    try:
        target = _cache_path(cache, url)
    except ValueError as error:
        raise StorageError(f"not an address: {error}", where=url[:200]) from error
    try:
        # One download of a file at a time; the second one finds it cached.
        with disk.locked(target.with_name(f"{target.name}.lock")):
            found = None if refresh else _cached(target, url)
            return found or _download(url, target, policy, advance)
    except OSError as error:
        raise StorageError(f"cannot write the cache: {(error.strerror or str(error)).lower()}", where=cache) from error


def _cache_path(cache: Path, url: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rsplit("/", 1)[-1])[-80:].lstrip(".") or "file"
    return cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _cached(target: Path, url: str) -> Download | None:
    """Return the cached file, if it still matches its record."""
    try:
        record = json.loads(_record(target).read_text())
        if record["sha256"] == sha256_file(target):
            return Download(target, public(url), record["sha256"], record["etag"], record["size"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _download(url: str, target: Path, policy: Policy, advance: Callable[[float], None]) -> Download:
    part = target.with_name(f"{target.name}.part")
    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_random_exponential(multiplier=0.2, max=policy.max_wait_s),
        retry=retry_if_exception_type(TransientError),
        before_sleep=lambda state: _log_retry(url, state),
        reraise=True,
    )
    try:
        with httpx2.Client(timeout=policy.timeout_s, follow_redirects=False) as client:
            etag = str(retrying(attempt, client, url, part, policy, advance))
    except TransientError as error:
        raise StorageError(f"download failed after {policy.attempts} attempts: {error}", where=public(url),
                           hint="try again later; the download is resumed") from error  # fmt: skip
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StorageError(f"download failed: {error}", where=public(url)) from error
    done = Download(target, public(url), sha256_file(part), etag, part.stat().st_size)
    part.replace(target)
    record = json.dumps(asdict(done) | {"path": target.name, "schema_version": 1})
    disk.write(str(_record(target)), record.encode())
    etag_file(part).unlink(missing_ok=True)
    return done


def _log_retry(url: str, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("download of %s: %s; trying again", public(url), error)

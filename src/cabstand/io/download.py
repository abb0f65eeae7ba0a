"""Download of public files: retries, resume, a cache, a recorded sha256."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand.errors import StorageError
from cabstand.io.resume import Policy, TransientError, attempt, etag_file, public

logger = logging.getLogger(__name__)

__all__ = ["Download", "Policy", "fetch", "public", "sha256_of"]


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
    try:
        target = _place(cache, url)
    except ValueError as error:
        raise StorageError(f"not an address: {error}", where=url[:200]) from error
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            found = None if refresh else _cached(target, url)
            return found or _download(url, target, policy, advance)
    except OSError as error:
        raise StorageError(f"cannot write the cache: {(error.strerror or str(error)).lower()}", where=cache) from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
        retry=retry_if_exception_type(TransientError),
        before_sleep=lambda state: _tell(url, state),
        reraise=True,
    )
    try:
        with httpx2.Client(timeout=policy.timeout_s, follow_redirects=False) as client:
            etag = str(retrying(attempt, client, url, part, policy, advance))
    except TransientError as error:
        raise StorageError(f"no whole file in {policy.attempts} attempts: {error}", where=public(url),
                           hint="try again later; what came is kept and resumed") from error  # fmt: skip
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StorageError(f"not to be had: {error}", where=public(url)) from error
    done = Download(target, public(url), sha256_of(part), etag, part.stat().st_size)
    part.replace(target)
    _write_record(target, done)
    etag_file(part).unlink(missing_ok=True)
    return done


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

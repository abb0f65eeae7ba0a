"""Open a file that the user names: on disk, in S3, or at a web address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cabstand import log
from cabstand.errors import DataError
from cabstand.io import disk, download, provenance, storage
from cabstand.settings import Settings


@dataclass(frozen=True)
class LocalCopy:
    """A local copy of a file: its path, the address it came from without credentials, and its SHA-256."""

    path: Path
    name: str
    sha256: str


def is_web(uri: str) -> bool:
    """Return whether `uri` is an http or https address."""
    return uri.lower().startswith(("http://", "https://"))


@contextmanager
def local_copy(settings: Settings, uri: str, *, refresh: bool = False) -> Iterator[LocalCopy]:
    """Give a local copy of the file at `uri` for as long as the block runs."""
    if is_web(uri):
        policy = download.Policy(attempts=settings.download_attempts, timeout_s=settings.download_timeout_s)
        with log.progress(f"download {download.public(uri).rsplit('/', 1)[-1]}") as advance:
            done = download.fetch(uri, settings.home / "cache", policy=policy, refresh=refresh, advance=advance)
        yield LocalCopy(done.path, done.url, done.sha256)
        return
    if not storage.is_s3(uri) and not disk.to_path(uri).is_file():
        raise DataError("no such file", where=uri, hint="give a file, s3:// or https:// address")
    with storage.fetched(uri) as path:
        yield LocalCopy(path, uri, provenance.sha256_file(path))

"""The results site: each publication in a folder of its own, whose files never change, and an index, written last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from cabstand.errors import ConfigError, ConflictError
from cabstand.io import storage
from cabstand.report import pages
from cabstand.settings import Settings

INDEX, VERSIONS = "index.html", "versions"
REPORT = "report.html"  # the whole of a version from before there were several pages
KEEP, ASK = "max-age=31536000, immutable", "no-cache"  # a browser asks whether the index has changed
SHOWN = 24  # versions in the index
ATTEMPTS = 5
TIME = "%Y%m%dT%H%M%S.%fZ"  # names of versions sort by it; no `+`, which S3 reads as a space


def require(settings: Settings) -> None:
    """Raise a ConfigError if no site is set."""
    if not settings.site:
        raise ConfigError("no site to publish on", where="--publish", hint="set CABSTAND_SITE to a folder or s3://")


def publish(settings: Settings, name: str, files: Mapping[str, bytes]) -> str:
    """Publish files, an `index.html` among them, as the newest version; return the address of its folder."""
    folder = storage.join(settings.site, VERSIONS, f"{datetime.now(UTC).strftime(TIME)}-{name}")
    _add(settings, folder, files)
    return folder


def add_beside(settings: Settings, site_uri: str | None, name: str, page: bytes) -> None:
    """Add a page to the version that a published page is of, if there is one."""
    if settings.site and site_uri:
        _add(settings, site_uri.rpartition("/")[0], {name: page})


def _add(settings: Settings, folder: str, files: Mapping[str, bytes]) -> None:
    """Write files of a version, its first page last, then the index of all versions."""
    for name in sorted(files, key=lambda name: name == INDEX):
        storage.write(storage.join(folder, name), files[name], cache_control=KEEP)
    _write_index(settings.site)


@retry(retry=retry_if_exception_type(ConflictError), stop=stop_after_attempt(ATTEMPTS), reraise=True)
def _write_index(site: str) -> None:
    """Write the page that links the newest versions; again if another version was published meanwhile."""
    uri = storage.join(site, INDEX)
    tag = storage.etag(uri)
    page = pages.versions_index(_versions(site))
    storage.put_if(uri, page.encode(), tag, cache_control=ASK)


def _versions(site: str) -> list[dict[str, object]]:
    """Return time, title, name, first page and files of the newest whole versions, the newest first."""
    found: dict[str, list[str]] = {}
    for uri in storage.list_under(storage.join(site, VERSIONS)):
        name, file = uri.rsplit("/", 2)[1:]
        found.setdefault(name, []).append(file)
    first = {name: next((page for page in (INDEX, REPORT) if page in found[name]), "") for name in found}
    whole = [name for name in sorted(found, reverse=True) if first[name]]
    return [
        {"at": _parts(name)[0], "title": _parts(name)[1], "name": name, "page": first[name], "files": found[name]}
        for name in whole[:SHOWN]
    ]


def _parts(version: str) -> tuple[datetime, str]:
    at, _, title = version.partition("-")
    return datetime.strptime(at, TIME), title

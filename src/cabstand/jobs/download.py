"""Download: fetch months of raw trips into the cache, or a folder or bucket besides, and nothing more."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from cabstand import tlc
from cabstand.io import download, sources, storage
from cabstand.jobs import ingest
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Which months of a data set to fetch, and a folder or bucket that gets a copy of each file."""

    dataset: str
    months: tuple[str, ...]
    out: str = ""
    refresh: bool = False
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Fetch the months that the cache has not, and return each file with its address, size and SHA-256."""
    ingest.check_dataset(params.dataset)
    for month in params.months:
        ingest.check_month(month)
    urls = {month: tlc.month_url(settings.tlc_url, settings.uber_url, params.dataset, month) for month in params.months}
    if params.dry_run:
        return {"dry_run": True, "dataset": params.dataset, "sources": [download.public(url) for url in urls.values()]}
    return {
        "dataset": params.dataset,
        "months": [_fetch(settings, month, url, params) for month, url in urls.items()],
    }


def _fetch(settings: Settings, month: str, url: str, params: Params) -> dict[str, Any]:
    with sources.local_copy(settings, url, refresh=params.refresh) as copy:
        uri = str(copy.path.resolve())
        if params.out:
            uri = storage.join(params.out, copy.name.rsplit("/", 1)[-1])
            with storage.staged(uri) as target:
                shutil.copy(copy.path, target)
        size = copy.path.stat().st_size
        return {"month": month, "source": copy.name, "sha256": copy.sha256, "size_bytes": size, "file_uri": uri}

"""The results site for a browser, which signs no request: the pages of its bucket, below an address of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

PAGES = "/moto-api/cabstand/site/"
_BUCKET = "-site-"  # in its name, as infra/ gives it
_Answer = tuple[int, dict[str, str], bytes]


def serve() -> None:
    """Let each server that this process starts from now on answer with the pages."""
    from moto.moto_api._internal import urls

    urls.url_paths["{0}" + PAGES + "(?P<key>.*)$"] = _page


def _page(_request: Any, url: str, _headers: Any) -> _Answer:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    key = unquote(urlsplit(url).path).removeprefix(PAGES) or "index.html"
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for bucket in (name for name in backend.buckets if _BUCKET in name):
        if found := backend.get_object(bucket, key):
            kind = found.metadata.get("Content-Type", "application/octet-stream")
            return 200, {"Content-Type": kind}, found.value
    return 404, {"Content-Type": "text/plain"}, b"nothing is published here yet: a new pipeline run does it\n"

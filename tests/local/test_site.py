"""The results site's pages in a browser, which signs nothing; other objects stay behind their signatures."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from cabstand.local.emulator import access, site
from emulator import MODULE, started


def test_pages_are_served_and_nothing_else() -> None:
    with started(MODULE) as url:
        s3, pages = access.client(url, "s3"), url + site.PAGES
        for bucket in ("cabstand-dev-site-1", "cabstand-dev-lake-1"):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="cabstand-dev-site-1", Key="index.html", Body=b"<p>first", ContentType="text/html")
        s3.put_object(Bucket="cabstand-dev-site-1", Key="versions/a b/x.png", Body=b"picture", ContentType="image/png")
        s3.put_object(Bucket="cabstand-dev-lake-1", Key="trips", Body=b"secret")
        for path, kind, body in (
            ("", "text/html", b"<p>first"),
            ("index.html", "text/html", b"<p>first"),
            ("versions/a%20b/x.png", "image/png", b"picture"),
        ):
            with urlopen(pages + path) as answer:
                assert (answer.headers.get_content_type(), answer.read()) == (kind, body)
        with pytest.raises(HTTPError, match="404") as error:
            urlopen(f"{pages}trips")
        assert b"nothing is published here yet" in error.value.read()

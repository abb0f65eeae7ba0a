"""The results site: versions that never change, an index written last, on a disk and in S3."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cabstand import cli
from cabstand.errors import ConflictError, StorageError
from cabstand.io import s3, storage, synthetic
from cabstand.jobs.publishing import site
from cabstand.settings import Settings, load

FILES = {"index.html": b"<p>results</p>", "map.png": b"png"}


def on(place: str) -> Settings:
    return load(site=place)


def head(uri: str) -> tuple[str, str]:
    bucket, key = s3.split(uri)
    found = s3.client().head_object(Bucket=bucket, Key=key)
    return found["ContentType"], found["CacheControl"]


def test_types_and_cache_headers(bucket: str) -> None:
    settings = on(f"s3://{bucket}")
    version = site.publish(settings, "report-1", FILES)
    site.add_beside(settings, f"{version}/index.html", "run.html", b"run")
    keep = "max-age=31536000, immutable"
    assert head(f"{version}/index.html") == ("text/html; charset=utf-8", keep)
    assert head(f"{version}/run.html") == ("text/html; charset=utf-8", keep)
    assert head(f"{version}/map.png") == ("image/png", keep)
    assert head(f"s3://{bucket}/index.html") == ("text/html; charset=utf-8", "no-cache")


def test_the_index_is_written_last_and_links_only_what_is_there(tmp_path: Path) -> None:
    settings = on(str(tmp_path / "site"))
    for name in ("report-1", "report-2"):
        site.publish(settings, name, FILES)
    killed = tmp_path / "site/versions/20990101T000000.000000Z-cut-short"  # before its first page
    killed.mkdir()
    (killed / "map.png").touch()
    site.add_beside(settings, f"{site.publish(settings, 'report-3', FILES)}/index.html", "run.html", b"run")
    page = (tmp_path / "site/index.html").read_text()
    links = re.findall(r'href="(versions/[^"]+)"', page)
    assert all((tmp_path / "site" / link).is_file() for link in links)
    assert "report-3" in links[0]
    assert [link.endswith("run.html") for link in links].count(True) == 1
    assert "cut-short" not in page


def test_nothing_names_a_version_that_failed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, write = on(f"s3://{bucket}/site"), storage.write
    site.publish(settings, "report-1", FILES)
    before = storage.read(f"s3://{bucket}/site/index.html")

    def fail(uri: str, data: bytes, **options: str) -> None:
        if uri.endswith("/index.html"):
            raise StorageError("gone")
        write(uri, data, **options)

    monkeypatch.setattr(storage, "write", fail)
    with pytest.raises(StorageError):
        site.publish(settings, "report-2", FILES)
    assert storage.read(f"s3://{bucket}/site/index.html") == before


def test_of_two_that_publish_at_once_both_are_in_the_index(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, put_if, raced = on(f"s3://{bucket}"), storage.put_if, []

    def race(uri: str, data: bytes, tag: str | None, **options: str) -> str:
        if not raced:
            raced.append(1)
            site.publish(settings, "report-2", FILES)
        return put_if(uri, data, tag, **options)

    monkeypatch.setattr(storage, "put_if", race)
    site.publish(settings, "report-1", FILES)
    assert {"report-1", "report-2"} <= set(re.findall(r"report-\d", storage.read(f"s3://{bucket}/index.html").decode()))


def test_a_race_that_never_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*_: object, **__: object) -> str:
        raise ConflictError("changed by another writer")

    monkeypatch.setattr(storage, "put_if", lose)
    with pytest.raises(ConflictError):
        site.publish(on(str(tmp_path)), "report-1", FILES)


def test_synthetic_pages_have_a_site_of_their_own() -> None:
    assert synthetic.apart(on("s3://bucket")).site == "s3://bucket/synthetic"
    assert synthetic.apart(on("")).site == ""


def test_a_version_from_before_is_linked_by_its_report(tmp_path: Path) -> None:
    old = tmp_path / "versions/20240101T000000.000000Z-report-1"
    old.mkdir(parents=True)
    (old / "report.html").write_text("<p>report</p>")
    site.publish(on(str(tmp_path)), "site-1", FILES)
    links = re.findall(r'href="versions/([^"]+)"', (tmp_path / "index.html").read_text())
    assert links[-1] == f"{old.name}/report.html"
    assert links[0].endswith("-site-1/index.html")


def test_the_site_is_published_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["site", "--publish"]) == 2
    assert "set CABSTAND_SITE" in capsys.readouterr().err
    monkeypatch.setenv("CABSTAND_SITE", str(tmp_path / "site"))
    points = tmp_path / "points.csv"
    points.write_text("lat,lon\n" + "40.75,-73.98\n" * 9)
    assert cli.run(["cluster", "--input", str(points), "--min-samples", "3", "--no-track"]) == 0
    assert cli.run(["site", "--publish"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    version, folder = result["site_uri"].removesuffix("/index.html"), result["index_uri"].removesuffix("/index.html")
    for name in result["pages"]:
        assert storage.read(f"{version}/{name}") == storage.read(f"{folder}/{name}")

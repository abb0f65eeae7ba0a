"""The results site: whole, offline, honest about what is missing, and swapped at once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cabstand.errors import DataError
from cabstand.jobs import cluster, report, site
from cabstand.jobs.presenting import periods
from cabstand.report.site import pages
from cabstand.report.site.results import Results
from cabstand.settings import Settings
from page_addresses import Addresses
from page_examples import EVIDENCE

RUN_PAGE = "run-pipeline-0123456789abcdef.html"


def test_pages_link_to_each_other_and_fetch_nothing(rendered: dict[str, str]) -> None:
    assert set(rendered) == {*pages.TITLES, RUN_PAGE}
    assert sum(map(len, rendered.values())) < 6_000_000
    for name, page in rendered.items():
        leads = [one for one in Addresses(page).found if not one.startswith(("data:", "#"))]
        assert {one.partition("#")[0] for one in leads} - {RUN_PAGE} == set(pages.TITLES), name
        assert "default-src 'none'" in page
        assert page.count('aria-current="page"') == 1
        assert "Synthetic data" in page


def test_what_was_found_is_shown(rendered: dict[str, str]) -> None:
    for name, words in {
        "index.html": (
            "1 to 31 January 2024",
            "1 to 31 March 2024",
            'id="panel-2"',
            'id="days"',
            'data-layer="density"',
        ),
        "engines.html": ("bootstrap interval", "Dollars per million trips", 'id="sweep"'),
        "model.html": ("m-0123456789ab", "gain of 8 %", "champion before", "its bundle is damaged"),
        "drift.html": ("retrain, refused", "no action", "no &lt;b&gt;gain", "Mean absolute error"),
        "runs.html": (f'href="{RUN_PAGE}"', "failed", "rows 12"),
        RUN_PAGE: ("pipeline-0123456789abcdef", "holdout: &lt;b&gt;no rows"),
        "evidence.html": ("green.parquet",),
        "cost.html": ("a month, idle", "per million predictions", "engines.html#dollars"),
        "data.html": ("quarantined", "cabstand cluster --input"),
    }.items():
        for word in words:
            assert word in rendered[name], (name, word)


def test_what_is_missing_says_what_to_run() -> None:
    made = pages.render(Results(evidence=EVIDENCE), made_at="now", version="0")
    for name, command in {
        "index.html": "cabstand cluster --input FILE",
        "engines.html": "cabstand compare --input FILE",
        "model.html": "cabstand train trip-duration --input FILE",
        "drift.html": "No monitor has run yet: run <code>cabstand monitor",
        "runs.html": "cabstand pipeline",
        "cost.html": "cabstand site --plan PLAN.json",
        "data.html": "cabstand ingest",
    }.items():
        assert command in made[name]
        assert "Synthetic data" not in made[name]
    assert "cabstand verify --data DIR" in pages.render(Results(), made_at="now", version="0")["evidence.html"]


def test_an_empty_lake_is_one_line(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(DataError, match="nothing to show yet") as found:
        site.run(settings, site.Params())
    assert "run `cabstand cluster` first" in str(found.value)
    assert not (tmp_path / "home").exists()
    told = site.run(settings, site.Params(dry_run=True))
    assert told["would_write"] == str(tmp_path / "home/site")


def test_a_site_that_fails_leaves_the_old_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = site.Params(out=str(tmp_path / "site"), track=False)
    told = site.run(settings, params)
    before = Path(told["index_uri"]).read_bytes()
    assert told["bytes"] == sum(file.stat().st_size for file in (tmp_path / "site").iterdir())
    assert told["synthetic"]

    def fail(*_: object, **__: object) -> dict[str, str]:
        raise DataError("no page")

    monkeypatch.setattr(pages, "render", fail)
    with pytest.raises(DataError, match="no page"):
        site.run(settings, params)
    assert Path(told["index_uri"]).read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["site"]


def test_other_periods_are_the_newest_of_each_other_input(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    for month in ("01", "02", "03"):
        points = tmp_path / f"{month}.csv"
        points.write_text("lat,lon,time\n" + f"40.75,-73.98,2024-{month}-01 10:00:00\n" * 30)
        for min_samples in (5, 6):
            cluster.run(settings, cluster.Params(str(points), min_samples=min_samples, track=False))
    content = periods.with_others(settings, report.gather(settings, report.Params()))
    shown = [content, *content.others]
    assert sorted(one.dates for one in shown) == ["1 February 2024", "1 January 2024", "1 March 2024"]
    assert content.week[10 + 24 * 4] == 30 or content.dates != "1 March 2024"  # a Friday


def test_trips_that_have_gone_or_changed_leave_no_density(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings, points = Settings(home=tmp_path / "home"), tmp_path / "points.csv"
    points.write_text("lat,lon\n" + "40.75,-73.98\n" * 30)
    cluster.run(settings, cluster.Params(str(points), min_samples=5, track=False))
    assert report.gather(settings, report.Params()).raster is not None
    points.write_text("lat,lon\n" + "40.75,-73.98\n" * 31)
    for why in ("has changed since it was clustered", "no such file"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            content = report.gather(settings, report.Params())
        assert (content.raster, content.weeks) == (None, None)
        assert why in caplog.text
        points.unlink(missing_ok=True)

"""The report: whole, self-contained, honest about what it shows, and safe whatever the names in the data."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import DataError
from cabstand.jobs import cluster, compare, report, sweep, synth
from cabstand.report import pages
from cabstand.report.content import Content
from cabstand.report.figures import figures
from cabstand.settings import Settings
from cabstand.trips.synth import Plan

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake in which everything has been done once, on a small scale."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    trips = synth.run(settings, synth.Params(Plan(trips=4000, seed=3, era="coordinates", bad_share=0.02)))["trips_uri"]
    cluster.run(settings, cluster.Params(trips, eps_m=80, min_samples=15, track=False))
    compare.run(
        settings,
        compare.Params(trips, engines=["sequential", "sklearn"], sizes=[800], repeats=2, eps_m=80, track=False),
    )
    sweep.run(settings, sweep.Params(trips, eps_m=[50, 100], min_samples=[10, 20], sample=300, track=False))
    return settings


@pytest.fixture(scope="module")
def made(settings: Settings) -> dict[str, Any]:
    return report.run(settings, report.Params())


@pytest.fixture(scope="module")
def page(made: dict[str, Any]) -> str:
    return Path(made["report_uri"]).read_text(encoding="utf-8")


class Addresses(HTMLParser):
    """Collects whatever a browser would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "srcset", "href", "action"}]


def test_the_page_fetches_nothing(page: str) -> None:
    assert all(address.startswith(("data:", "#")) for address in Addresses(page).found)
    assert "default-src 'none'" in page


def test_every_part_is_there(page: str, made: dict[str, Any]) -> None:
    assert '<html lang="en">' in page
    assert "<title>" in page
    for part in ("where", "when", "table", "engines", "memory", "sweep", "data", "again"):
        assert f'id="{part}"' in page
    assert "Synthetic data" in page
    assert made["synthetic"] is True
    assert "cabstand cluster --input" in page


def test_the_quarantine_is_told(page: str, settings: Settings) -> None:
    manifest = json.loads(next(Path(settings.lake_uri).glob("trips/synth/*.manifest.json")).read_text())
    assert manifest["rows_quarantined"] > 0
    for reason in manifest["quarantined_by_reason"]:
        assert reason in page


def test_pictures_are_png(made: dict[str, Any]) -> None:
    assert len(made["picture_uris"]) == 7
    assert all(Path(uri).read_bytes().startswith(PNG) for uri in made["picture_uris"])


def test_a_hostile_name_stays_text(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    hostile = [{**spot, "zone": "</script><img src=x onerror=alert(1)>"} for spot in content.hotspots]
    changed = Content(content.clustering, hostile)
    page = pages.render(changed, [], made_at="now", version="0")
    assert "<img src=x" not in page
    assert page.count("</script>") == 2


def test_no_hotspot_is_said(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    empty = Content({**content.clustering, "n_clusters": 0, "n_noise": content.clustering["n_points"]}, [])
    page = pages.render(empty, figures(empty), made_at="now", version="0")
    assert "there is no hotspot to show" in page
    assert 'id="map"' not in page


def test_disagreement_is_not_hidden(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    assert content.comparison is not None
    changed = Content(content.clustering, content.hotspots, comparison={**content.comparison, "agree": False})
    assert "do not agree" in pages.render(changed, [], made_at="now", version="0")


def test_nothing_to_report_on_is_one_line(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing has been clustered"):
        report.run(Settings(home=tmp_path), report.Params())
    with pytest.raises(DataError, match=r"no comparison\.json"):
        report.run(settings, report.Params(comparison=str(tmp_path)))


def test_dry_run_writes_nothing(settings: Settings, tmp_path: Path) -> None:
    told = report.run(settings, report.Params(out=str(tmp_path / "page"), dry_run=True))
    assert told["dry_run"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    return found


@pytest.mark.slow
def test_a_browser_without_network_draws_it(chromium: str, made: dict[str, Any], tmp_path: Path) -> None:
    switches = shlex.split(
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=3000 "
        "--window-size=1200,1600 --dump-dom"
    )
    done = subprocess.run(
        [chromium, *switches, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}",
         Path(made["report_uri"]).resolve().as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert not re.findall(r".*INFO:CONSOLE.*", done.stderr)
    assert "<canvas" in done.stdout
    assert "leaflet-zoom-animated" in done.stdout

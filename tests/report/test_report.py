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

import numpy as np
import pyarrow as pa
import pytest

import crowds
from cabstand.errors import DataError
from cabstand.jobs import cluster, compare, report, sweep, synth
from cabstand.report import pages
from cabstand.report.content import Content
from cabstand.report.figures import figures
from cabstand.settings import Settings
from cabstand.trips.synthetic.generator import Plan

FORMATS = Path(__file__).resolve().parents[1] / "formats"
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


def test_pickups_are_inside_a_hotspot(page: str, settings: Settings) -> None:
    run = report.gather(settings, report.Params()).clustering
    assert f"<b>{1 - run['n_noise'] / run['n_points']:.1%}</b> of pickups inside a hotspot" in page
    assert "chain together:" not in page
    assert 'id="parts"' not in page


def test_the_recommendation_is_told_once(page: str, settings: Settings) -> None:
    swept = report.gather(settings, report.Params()).sweep
    assert swept is not None
    (line,) = re.findall("<p>Recommended: .*</p>", page)
    assert f"eps {swept['best']['eps_m']:g} m with min_samples {swept['best']['min_samples']} " in line
    assert "The hotspots above were found with eps 80 m and min_samples 15." in line
    assert f"The dashed line is the recommended eps, {swept['best']['eps_m']:g} m." in page
    knee = swept["k_distance"]
    assert f"The curve bends at {knee['knee_m']:g} m, which gives {knee['at_knee']['n_clusters']:,} clusters" in page
    same = {**swept, "best": {**swept["best"], "eps_m": 80.0, "min_samples": 15}}
    content = report.gather(settings, report.Params())
    again = pages.render(Content(content.clustering, content.hotspots, sweep=same), [], made_at="now", version="0")
    assert "The hotspots above were found with these." in again
    none = pages.render(
        Content(content.clustering, content.hotspots, sweep={**swept, "best": None}), [], made_at="now", version="0"
    )
    assert "No pair is recommended" in none


def test_a_chain_and_its_densest_parts_are_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    at = np.repeat(np.arange(40) * 60.0, 60) + np.random.default_rng(0).uniform(-5, 5, 2400)
    trips = pa.table({"lat": 40.7 + at / 111_194.93, "lon": np.full(2400, -74.0)})
    uri = crowds.write(tmp_path / "street.parquet", trips)
    plain = cluster.run(settings, cluster.Params(uri, eps_m=75, track=False))
    page = Path(report.run(settings, report.Params())["report_uri"]).read_text()
    assert "Clusters chain together: 100.0% of the points" in page
    assert f"--eps-m {plain['chaining']['suggested']['eps_m']:g} keeps them apart" in page
    cluster.run(settings, cluster.Params(uri, eps_m=75, max_spread_m=150.0, track=False, out=str(tmp_path / "parts")))
    divided = report.run(settings, report.Params(hotspots=str(tmp_path / "parts")))
    page = Path(divided["report_uri"]).read_text()
    assert "Their densest parts" in page
    assert "came apart into 40 denser parts" in page
    assert "--max-spread-m 150" in page.split('id="again"')[1]
    assert len(json.loads(page.split('id="map-data">')[1].split("<")[0])["parts"]) == 40
    # The trips have no times: nothing is said of hours.
    assert 'id="hour"' not in page
    assert 'id="when"' not in page


def test_results_from_before_are_shown(tmp_path: Path) -> None:
    old = {kind: str(shutil.copytree(FORMATS / kind / "v1", tmp_path / kind)) for kind in ("hotspots", "sweep")}
    told = report.run(Settings(home=tmp_path / "home"), report.Params(**old, out=str(tmp_path / "page")))
    page = Path(told["report_uri"]).read_text()
    assert 'id="sweep"' in page
    assert "without chaining" not in page
    assert "The curve bends" not in page


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


def browse(chromium: str, page: Path, profile: Path) -> subprocess.CompletedProcess[str]:
    """Open a page without a network; stdout is its content after its scripts have run, stderr the browser's log."""
    switches = shlex.split(
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=3000 "
        "--window-size=1200,1600 --dump-dom"
    )
    return subprocess.run(
        [chromium, *switches, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
         page.resolve().as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_browser_without_network_draws_it(chromium: str, made: dict[str, Any], tmp_path: Path) -> None:
    done = browse(chromium, Path(made["report_uri"]), tmp_path)
    assert not re.findall(r".*INFO:CONSOLE.*", done.stderr)
    assert "<canvas" in done.stdout
    assert "leaflet-zoom-animated" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("order", ["open, slide", "slide, open"])
def test_the_popup_shows_the_hour_of_the_slider(
    chromium: str, settings: Settings, page: str, tmp_path: Path, order: str
) -> None:
    """Also of a popup that is open while the slider moves."""
    steps = {
        "open": "document.querySelector('a[data-spot=\"0\"]').click();",
        "slide": "const s = document.getElementById('hour'); s.value = 23; s.dispatchEvent(new Event('input'));",
    }
    script = "".join(steps[step] for step in order.split(", "))
    changed = tmp_path / "page.html"
    changed.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = browse(chromium, changed, tmp_path / "profile")
    assert not re.findall(r".*INFO:CONSOLE.*", done.stderr)
    spot = report.gather(settings, report.Params()).hotspots[0]
    pickups = round(spot["size"] * spot["hours"][23])
    assert f"{pickups:,} of {spot['size']:,} pickups, 23:00 to 00:00, within {spot['radius_m']:.0f} m" in done.stdout

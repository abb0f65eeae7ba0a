"""The report: whole, self-contained, honest about what it shows, and safe whatever the names in the data."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis.strategies import floats, integers

import crowds
from cabstand.errors import DataError
from cabstand.jobs import cluster, report
from cabstand.report import hulls, pages, pictures, run_pages
from cabstand.report.content import Content, day_range
from cabstand.report.figures import figures
from cabstand.settings import Settings
from page_addresses import Addresses
from page_examples import ABSENT, CHECKS, COMPARED, EVIDENCE, RUN, RUNS, WORKFLOW_RUN

FORMATS = Path(__file__).resolve().parents[1] / "formats"
PNG = b"\x89PNG\r\n\x1a\n"


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
    assert "The hotspots shown were found with eps 80 m and min_samples 15." in line
    assert f"The dashed line is the recommended eps, {swept['best']['eps_m']:g} m." in page
    knee = swept["k_distance"]
    assert f"The curve bends at {knee['knee_m']:g} m, which gives {knee['at_knee']['n_clusters']:,} clusters" in page
    same = {**swept, "best": {**swept["best"], "eps_m": 80.0, "min_samples": 15}}
    content = report.gather(settings, report.Params())
    again = pages.render(Content(content.clustering, content.hotspots, sweep=same), [], made_at="now", version="0")
    assert "The hotspots shown were found with these." in again
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
    assert len(json.loads(page.split('id="map-data">')[1].split("<")[0])["periods"][0]["parts"]) == 40
    # The trips have no times: nothing is said of hours.
    assert 'id="hour"' not in page
    assert 'id="when"' not in page


@pytest.mark.parametrize("kind", ["hotspots", "sweep"])
def test_results_from_before_are_shown(settings: Settings, tmp_path: Path, kind: str) -> None:
    old = shutil.copytree(FORMATS / kind / "v1", tmp_path / kind)
    manifest = old / ("manifest.json" if kind == "hotspots" else "sweep.json")
    content = json.loads(manifest.read_text())
    content["source"]["synthetic"] = True  # as the rest of this lake
    manifest.write_text(json.dumps(content))
    told = report.run(settings, report.Params(**{kind: str(old)}, out=str(tmp_path / "page")))
    page = Path(told["report_uri"]).read_text()
    assert 'id="sweep"' in page
    if kind == "sweep":
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


def test_days_are_shown(page: str, settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    assert content.dates == "1 to 31 January 2024"
    assert content.dates in page
    # As from Dask's workers, or from a version that did not note the first and last pickup.
    source = {name: value for name, value in content.clustering["source"].items() if not name.endswith("_at")}
    older = replace(content, clustering={**content.clustering, "source": source})
    assert older.dates == "1 to 31 January 2024"
    assert replace(older, months=()).dates == ""


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("2024-01-05", "2024-01-05", "5 January 2024"),
        ("2024-01-05", "2024-02-01", "5 January to 1 February 2024"),
        ("2023-12-31", "2024-01-01", "31 December 2023 to 1 January 2024"),
    ],
)
def test_a_range_of_days_is_written_once(first: str, last: str, shown: str) -> None:
    assert day_range(date.fromisoformat(first), date.fromisoformat(last)) == shown


def _downloaded(page: str, name: str) -> bytes:
    found = re.search(rf'download="{name}" href="data:[^,]*;base64,([^"]*)"', page)
    assert found
    return base64.b64decode(found[1])


def test_hotspots_can_be_downloaded(page: str, settings: Settings) -> None:
    spots = report.gather(settings, report.Params()).hotspots
    rows = list(csv.DictReader(_downloaded(page, "hotspots.csv").decode().splitlines()))
    assert [(int(row["id"]), int(row["pickups"])) for row in rows] == [(spot["id"], spot["size"]) for spot in spots]
    assert {(row["synthetic"], row["by_zone"]) for row in rows} == {("True", "False")}
    features = json.loads(_downloaded(page, "hotspots.geojson"))["features"]
    assert all(feature["properties"]["synthetic"] for feature in features)
    assert [feature["id"] for feature in features] == [spot["id"] for spot in spots]
    assert {feature["geometry"]["type"] for feature in features} == {"Polygon"}


def test_a_name_is_no_formula(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    named = replace(content, hotspots=[{**content.hotspots[0], "zone": "=1+1"}])
    rows = _downloaded(pages.render(named, [], made_at="now", version="0"), "hotspots.csv").decode().splitlines()
    assert next(csv.DictReader(rows))["name"].startswith("'=1+1")


def test_points_without_times_have_no_hours(tmp_path: Path) -> None:
    settings, points = Settings(home=tmp_path / "home"), tmp_path / "points.csv"
    points.write_text("lat,lon\n" + "40.75,-73.98\n" * 30 + "40.76,-73.97\n" * 20)
    cluster.run(settings, cluster.Params(str(points), min_samples=5, track=False))
    done = report.run(settings, report.Params())
    page = Path(done["report_uri"]).read_text()
    assert [Path(uri).name for uri in done["picture_uris"]] == ["map.png"]
    assert 'id="hour"' not in page
    assert "<td>30</td>" in page


def test_pictures_have_titles(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    drawn = figures(content)
    assert all(figure.title for figure in drawn)
    chart = drawn[1].chart
    assert pictures.png(chart, "One title") != pictures.png(chart, "Another title")


def test_charts_made_without_checks_would_pass_them(settings: Settings) -> None:
    for figure in figures(report.gather(settings, report.Params())):
        assert figure.chart.to_dict() == figure.chart.to_dict(validate=False), figure.name


def test_text_in_charts_is_as_large_on_a_phone(settings: Settings) -> None:
    """The phone's pictures are no wider than its screen: nothing makes them smaller."""
    for figure in figures(report.gather(settings, report.Params()))[1:]:
        for width in (pictures.WIDE, pictures.NARROW):
            encoded = pictures.svg_address(figure.chart, "light", width).partition(",")[2]
            svg = base64.b64decode(encoded).decode()
            size = re.search(r'<svg[^>]* width="([0-9.]+)"', svg)
            assert size
            assert float(size[1]) <= width + 1, figure.name
            assert min(map(float, re.findall(r'font-size="([0-9.]+)px"', svg))) >= 12, figure.name


def test_what_was_not_checked_is_grouped() -> None:
    page = pages.evidence(EVIDENCE)
    assert "5 figures of 2 subjects" in page
    rows = re.findall(r"<tr><td>(yellow.parquet|housing.csv.gz)</td><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", page)
    assert rows == [("yellow.parquet", "rows, kept, rmse", ABSENT), ("housing.csv.gz", "R2, MSE", ABSENT)]
    assert page.count(ABSENT) == 2
    whole = pages.evidence({**EVIDENCE, "checks": CHECKS[:1]})
    assert "Every figure was checked" in whole
    assert "Nothing was checked" in pages.evidence({**EVIDENCE, "checks": CHECKS[2:]})


def test_a_run_is_a_page() -> None:
    page = run_pages.run(RUN)
    assert all(address.startswith(("data:", "#")) for address in Addresses(page).found)
    assert not re.search(r'[{}"]', re.sub(r"<style>.*?</style>|<[^>]*>", "", page, flags=re.DOTALL))
    for shown in ("2 of 3", "1 min 4 s", "64,453", "multicore", "92", "green"):
        assert shown in page
    assert "holdout: &lt;b&gt;no rows&lt;/b&gt;" in page


def test_a_run_of_a_workflow_is_a_page() -> None:
    page = run_pages.run(WORKFLOW_RUN, state="failed", compared=COMPARED, earlier="daily-comparison-0")
    for shown in (
        "1 of 3",
        "new: <code>s3://",
        "error: x: &lt;b&gt;it rains&lt;/b&gt;",
        "4bf92f3577b34da6",  # pragma: allowlist secret
    ):
        assert shown in page
    index = run_pages.index(RUNS)
    assert [address for address in Addresses(index).found if address.endswith(".html")] == ["one.html", "two.html"]
    assert "There is no run yet" in run_pages.index([])


@settings_of(max_examples=60)
@given(
    seed=integers(0, 2**32), n=integers(1, 60), spread_m=floats(0, 2_000), lat=floats(-80, 80), lon=floats(-180, 180)
)
def test_every_member_is_inside_the_outline(seed: int, n: int, spread_m: float, lat: float, lon: float) -> None:
    eps_m, rng = 50.0, np.random.default_rng(seed)
    scale = np.array([1.0, 1 / np.cos(np.radians(lat))]) / hulls.METRES_PER_DEGREE
    cores = [lat, lon] + rng.uniform(-spread_m, spread_m, (n, 2)) * scale
    away = rng.uniform(0, 2 * np.pi, n)
    members = cores + 0.999 * eps_m * np.stack([np.sin(away), np.cos(away)], axis=1) * scale
    cores[:, 1] = (cores[:, 1] + 180) % 360 - 180
    found = hulls.outlines(cores, np.full(n, 7, np.int32), [7, 8], eps_m)
    assert list(found) == [7]
    ring = shapely.Polygon(found[7])
    near = (members[:, 1] - ring.centroid.x + 180) % 360 - 180 + ring.centroid.x  # the ring may cross the meridian
    assert shapely.contains_xy(ring.buffer(2e-5), near, members[:, 0]).all()


def test_a_sweep_without_a_recommendation_is_drawn(settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    assert content.sweep is not None
    curve = {**content.sweep["k_distance"], "suggested_eps_m": None}
    swept = replace(content, sweep={**content.sweep, "best": None, "k_distance": curve})
    page = pages.render(swept, figures(swept), made_at="now", version="0")
    assert 'id="sweep"' in page
    assert "dashed line" not in page


def test_a_number_that_most_pairs_find_is_told(settings: Settings) -> None:
    """As of 50,000 synthetic trips: 401 clusters have the best score, and most pairs find the 25 ranks."""
    content = report.gather(settings, report.Params())
    assert content.sweep is not None
    rows = [{**content.sweep["table"][0], "eps_m": 10.0 * number, "n_clusters": 25} for number in range(1, 5)]
    best = {**rows[0], "n_clusters": 401}
    swept = replace(content, sweep={**content.sweep, "table": [*rows, best], "best": best})
    assert "Most pairs, 4 of 5, find 25 clusters" in pages.render(swept, [], made_at="now", version="0")
    same = replace(content, sweep={**content.sweep, "table": rows, "best": rows[0]})
    assert "Most pairs" not in pages.render(same, [], made_at="now", version="0")
    none = replace(content, sweep={**content.sweep, "table": [rows[0], best], "best": best})
    assert "Most pairs" not in pages.render(none, [], made_at="now", version="0")

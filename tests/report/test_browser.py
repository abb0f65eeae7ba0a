"""Pages in headless Chromium: drawn without a network, clean for axe, readable on a phone, usable by keyboard.

`npm ci` fetches axe-core once a session, by the lock in `scripts/pages`.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cabstand.io import evidently_report
from cabstand.jobs import report
from cabstand.monitoring.sample import Samples
from cabstand.report import monitor_page, pages, run_pages
from cabstand.settings import Settings
from monitor_examples import EVIDENTLY, NO_EVIDENTLY, NONE, QUIET, RETRAIN, WINDOW
from page_examples import COMPARED, EVIDENCE, RUN, RUNS, WORKFLOW_RUN

PHONE, DESKTOP = (390, 844), (1440, 1000)
SWITCHES = shlex.split(
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr --v=0 "
    "--virtual-time-budget=10000 --dump-dom"
)
DARK = "--blink-settings=preferredColorScheme=0"
ANSWER = "const answer = (value) => parent.postMessage(JSON.stringify(value), '*');"
ASKED_WHEN_DRAWN = """
  (function ask() {
    const drawn = !document.getElementById("map-data") || document.documentElement.dataset.map === "whole";
    if (!drawn) { setTimeout(ask, 20); return; }
    %s
  })();
"""
Dump = Callable[..., str]
Ask = Callable[..., Any]

pytestmark = pytest.mark.slow


def allowed(page: str) -> str:
    """Return a page whose policy lets a script of the test run, if it lets none."""
    return page.replace("style-src 'unsafe-inline'\">", "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">")


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    return found


@pytest.fixture
def dump(chromium: str, tmp_path: Path) -> Dump:
    """Return a page's document as the browser leaves it; nothing may go to the console."""

    def run(page: str, *more: str) -> str:
        (tmp_path / "dumped.html").write_text(page, encoding="utf-8")
        done = subprocess.run(
            [chromium, *SWITCHES, *more, "--window-size=1500,1200", "--host-resolver-rules=MAP * ~NOTFOUND",
             f"--user-data-dir={tmp_path}/profile", (tmp_path / "dumped.html").as_uri()],
            capture_output=True, text=True, timeout=180, check=True,
        )  # fmt: skip
        assert not re.findall(r".*INFO:CONSOLE.*", done.stderr)
        return done.stdout

    return run


@pytest.fixture
def ask(dump: Dump, tmp_path: Path) -> Ask:
    """Run a script in a page and return what it passes to `answer`.

    The page is in a frame, since a window is never as narrow as a phone.
    """

    def run(page: str, script: str, size: tuple[int, int] = DESKTOP, *more: str) -> Any:
        asking = allowed(page).replace("</body>", f"<script>{ANSWER}{ASKED_WHEN_DRAWN % script}</script></body>")
        (tmp_path / "framed.html").write_text(asking, encoding="utf-8")
        document = dump(
            f'<!doctype html><iframe src="framed.html" width="{size[0]}" height="{size[1]}" style="border: 0"></iframe>'
            "<pre></pre><script>addEventListener('message', (event) => {"
            " document.querySelector('pre').textContent = event.data; });</script>",
            *more,
        )
        found = re.search(r"<pre>(.+?)</pre>", document, re.DOTALL)
        assert found
        return json.loads(html.unescape(found[1]))

    return run


PAGES: dict[str, Callable[[], str]] = {
    "evidence": lambda: pages.evidence(EVIDENCE),
    "run": lambda: run_pages.run(RUN),
    "workflow": lambda: run_pages.run(WORKFLOW_RUN, state="failed", compared=COMPARED, earlier="daily-comparison-0"),
    "runs": lambda: run_pages.index(RUNS),
    "retrain": lambda: monitor_page.render(WINDOW, RETRAIN, EVIDENTLY, made_at="now", version="0"),
    "no action": lambda: monitor_page.render(QUIET, NONE, NO_EVIDENTLY, made_at="now", version="0"),
}


@pytest.fixture(params=["report", *PAGES])
def any_page(request: pytest.FixtureRequest) -> str:
    if request.param != "report":
        return PAGES[request.param]()
    page: str = request.getfixturevalue("page")
    return page


def test_a_browser_without_network_draws_it(dump: Dump, page: str) -> None:
    document = dump(page)
    assert "<canvas" in document
    assert "leaflet-zoom-animated" in document


@pytest.mark.parametrize("theme", [(), (DARK,)], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing(ask: Ask, axe: str, any_page: str, size: tuple[int, int], theme: tuple[str, ...]) -> None:
    script = """
      axe.run(document).then((found) => answer({
        violations: found.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html).join(" ")),
        passes: found.passes.length, dark: matchMedia("(prefers-color-scheme: dark)").matches, width: innerWidth,
      }));
    """
    found = ask(any_page, axe + script, size, *theme)
    assert found["violations"] == []
    assert found["passes"] > 15
    assert (found["dark"], found["width"]) == (bool(theme), size[0])


def test_nothing_is_wider_than_the_screen_and_what_scrolls_takes_the_focus(ask: Ask, any_page: str) -> None:
    script = """
      const scrolls = (one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "auto";
      const boxes = [...document.querySelectorAll("div, pre")].filter(scrolls);
      answer({
        wide: document.documentElement.scrollWidth, main: document.querySelector("main").clientWidth,
        unfocusable: boxes.filter((one) => one.tabIndex < 0).length,
        scales: [...document.images].map((img) => img.clientWidth / img.naturalWidth),
      });
    """
    for size in (PHONE, DESKTOP):
        found = ask(any_page, script, size)
        assert found["wide"] == size[0]
        assert found["main"] > 0.9 * size[0]
        assert found["unfocusable"] == 0
        # Text in charts has 13 px at their own size.
        assert all(scale * 13 >= 12 for scale in found["scales"])


def test_search_finds_rows_that_are_not_shown_at_first(ask: Ask, settings: Settings) -> None:
    content = report.gather(settings, report.Params())
    names = [f"Zone {number}" for number in range(60)]
    spots = [{**content.hotspots[0], "id": number, "zone": zone} for number, zone in enumerate(names)]
    page = pages.render(replace(content, hotspots=spots, weeks=None), [], made_at="now", version="0")
    script = """
      const rows = () => [...document.querySelectorAll("#hotspots tbody tr")].filter((row) => !row.hidden);
      const search = document.getElementById("search");
      const type = (text) => { search.value = text; search.dispatchEvent(new Event("input")); return rows().length; };
      const first = rows().length;
      document.getElementById("all").click();
      const all = rows().length;
      document.getElementById("all").click();
      const one = type("#57 zone");
      const name = rows()[0].cells[0].textContent;
      const said = document.getElementById("search-count").textContent;
      answer({ first, all, one, name, said, none: type("zzz"), again: type("") });
    """
    assert ask(page, script) == {
        "first": 25, "all": 60, "one": 1, "name": "Zone 57 #57", "said": "1 of 60 shown", "none": 0, "again": 25,
    }  # fmt: skip


def test_zones_are_named_on_the_map(dump: Dump, page: str) -> None:
    data = json.loads(re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    at = data["periods"][0]["hotspots"][0]
    data["labels"] = [
        {"name": name, "lat": at["lat"], "lon": at["lon"], "busy": True} for name in ("Midtown <i>", "Hidden below")
    ]
    changed = re.sub(
        r'(id="map-data">).*?(</script>)', lambda match: match[1] + json.dumps(data).replace("<", "\\u003c") + match[2],
        page, flags=re.DOTALL,
    )  # fmt: skip
    document = dump(changed)
    assert "Midtown &lt;i&gt;" in document
    assert "<span>Hidden below</span>" not in document


@pytest.mark.parametrize("order", ["open, slide", "slide, open"])
def test_the_popup_shows_the_hour_of_the_slider(ask: Ask, settings: Settings, page: str, order: str) -> None:
    """Also of a popup that is open while the slider moves."""
    steps = {
        "open": "document.querySelector('a[data-spot=\"0\"]').click();",
        "slide": "const s = document.getElementById('hour'); s.value = 23; s.dispatchEvent(new Event('input'));",
    }
    script = "".join(steps[step] for step in order.split(", "))
    script += "answer(document.querySelector('.leaflet-popup-content').textContent);"
    shown = ask(page, script)
    spot = report.gather(settings, report.Params()).hotspots[0]
    pickups = round(spot["size"] * spot["hours"][23])
    assert f"{pickups:,} of {spot['size']:,} pickups, 23:00 to 00:00, within {spot['radius_m']:.0f} m" in shown


def test_the_page_of_evidently_is_drawn_without_a_network_and_runs_nothing_of_the_data(dump: Dump) -> None:
    pytest.importorskip("evidently")
    kinds = ["a", "</script><script>document.title = 'run'</script>"] * 50
    rows = pa.table({"kind": kinds, "truth": np.arange(100.0), "prediction": np.arange(100.0) % 7})
    made = evidently_report.make(Samples(rows, rows, target="truth", prediction="prediction"), 0.5)
    document = dump(made.page.decode())
    assert "Dataset Drift is NOT detected" in document
    assert "Regression Model Performance" in document
    assert "<title>run" not in document

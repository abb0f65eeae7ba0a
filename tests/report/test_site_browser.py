"""The site in Chromium, in real time: quick to paint, silent, offline, clean for axe, and usable by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabstand.report.site import pages
from chromium import Browser, browser

PHONE, DESKTOP = (390, 844), (1440, 1000)
MOST_BYTES, MOST_MS = 6_000_000, 1000  # of the whole site; until the first paint, the best of some

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(rendered: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site on disk."""
    made = tmp_path_factory.mktemp("site")
    for name, page in rendered.items():
        (made / name).write_text(page, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", [*pages.TITLES, "run-pipeline-0123456789abcdef.html"])
def test_a_page_is_clean(tab: Browser, folder: Path, axe: str, name: str, size: tuple[int, int], dark: bool) -> None:
    tab.open(folder / name, size, dark=dark)
    assert tab.requests == [(folder / name).as_uri()]
    found = tab.ask(axe + "axe.run(document).then((found) => found.violations.map((one) => one.id + ': ' + one.nodes"
                    ".map((node) => node.html).join(' ')))")  # fmt: skip
    assert found == []
    assert tab.complaints == []
    assert tab.ask("document.documentElement.scrollWidth") <= size[0]
    scrolling = "[...document.querySelectorAll('*')].filter((one) => one.scrollWidth > one.clientWidth + 1 && "
    scrolling += "getComputedStyle(one).overflowX === 'auto' && one.tabIndex < 0).map((one) => one.outerHTML)"
    assert tab.ask(scrolling) == []


def test_size_and_first_paint(tab: Browser, folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) < MOST_BYTES
    paint = "performance.getEntriesByName('first-contentful-paint').map((one) => one.startTime)"
    for name in pages.TITLES:
        found: list[float] = []
        for _ in range(3):
            tab.open(folder / name)
            tab.until(f"{paint}.length === 1")
            found += tab.ask(paint)
        assert min(found) < MOST_MS, name


def tab_to(tab: Browser, name: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(40):
        tab.press("Tab")
        if tab.ask("document.activeElement.id") == name:
            return
    raise AssertionError(f"{name} cannot be reached")


def told(tab: Browser, number: int = 1) -> Any:
    return tab.ask(f"document.getElementById('told{'' if number == 1 else '-2'}').textContent")


def test_the_hour_is_chosen_by_keyboard(tab: Browser, folder: Path) -> None:
    tab.open(folder / "index.html")
    week = told(tab)
    tab_to(tab, "hour")
    for key, shown in (("ArrowRight", "00:00 to 01:00"), ("ArrowRight", "01:00 to 02:00"), ("End", "23:00 to 00:00")):
        tab.press(key)
        assert tab.ask("document.getElementById('hour-shown').textContent") == shown
        assert tab.ask("document.getElementById('hour').getAttribute('aria-valuetext')") == shown
    assert told(tab) != week
    tab.press("Home")
    assert told(tab) == week


def test_two_periods_side_by_side(tab: Browser, folder: Path) -> None:
    tab.open(folder / "index.html")
    tab_to(tab, "beside")
    tab.press(" ")
    assert tab.ask("document.getElementById('period-2').selectedOptions[0].textContent") == "1 to 31 March 2024"
    assert told(tab, 2) == told(tab)
    tab.ask("const days = document.getElementById('days-2'); days.value = '5'; days.dispatchEvent(new Event('change'))")
    assert told(tab, 2) != told(tab)
    width = "document.getElementById('%s').getBoundingClientRect().width"
    assert tab.ask(width % "map") == pytest.approx(tab.ask(width % "map-2"), abs=2)
    tab.press(" ")
    assert tab.ask("document.getElementById('panel-2').hidden")
    assert tab.complaints == []


def test_the_density_is_drawn_and_can_be_hidden(tab: Browser, folder: Path) -> None:
    tab.open(folder / "index.html")
    inked = """(() => { const canvas = document.querySelector('.leaflet-density-pane canvas');
        if (!canvas) { return 0; }
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let n = 0; for (let i = 3; i < data.length; i += 4) { if (data[i]) { n += 1; } } return n; })()"""
    whole_week = tab.ask(inked)
    assert whole_week > 1000
    tab.ask("const hour = document.getElementById('hour'); hour.value = 4; hour.dispatchEvent(new Event('input'))")
    assert 0 < tab.ask(inked) != whole_week
    tab.ask("document.querySelector('[data-layer=density]').click()")
    assert tab.ask(inked) == 0


def test_the_first_view_has_every_hotspot(tab: Browser, folder: Path) -> None:
    """On a phone, too: none is cut off."""
    for size in (PHONE, DESKTOP):
        tab.open(folder / "index.html", size)
        data = tab.ask("JSON.parse(document.getElementById('map-data').textContent)")
        assert data["frame"] == data["whole"]
        south, west, north, east = data["frame"]
        for spot in data["periods"][0]["hotspots"]:
            assert south < spot["lat"] < north
            assert west < spot["lon"] < east

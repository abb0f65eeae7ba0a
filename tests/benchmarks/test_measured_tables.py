"""The page of benchmarks gets what was measured, and nothing else of it changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ROW = {"n": 1000, "cpu_s": 0.5, "wall_s": 0.25, "peak_mb": 99.6, "working_bytes_a_point": 7.04, "sha256": "a"}
JOBS_PAGE = PAGE.with_name("job-benchmarks.md")
HERE = Path(__file__).parent


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(HERE))
    import measured_tables

    yield measured_tables
    for name in [file.stem for file in HERE.glob("*.py")]:
        sys.modules.pop(name, None)


def radix(times: float) -> dict[str, Any]:
    return {name: ROW | {"rounds": [[s, s]] * 5} for name, s in (("cabstand", times), ("radix", 1.0))}


def test_only_the_tables_of_what_was_measured_change(tables: Any, tmp_path: Path) -> None:
    import bench_dbscan

    page, end = tmp_path / "page.md", tables.END
    parts = ("# Title", tables.mark("worst"), "kept", end, "words", tables.mark("radix"), "old", end, "last words")
    page.write_text("\n".join(parts) + "\n")
    for times, told in ((3.214, "3.214 | at most 6.5 |"), (6.6, "6.6 | at most 6.5, DOES NOT HOLD |")):
        trials = {"radix-5000000": radix(times)}
        tables.fill(page, {"radix": bench_dbscan.tables("radix", trials)})
        lines = page.read_text().splitlines()
        assert lines[:6] == list(parts[:6])
        assert "| radix-5000000 | cabstand | 0.500 | 0.250 | 7.0 | 100 |" in lines
        assert f"| radix passes: radix-5000000 | {told}" in lines
        assert lines[-2:] == [end, "last words"]
        assert "old" not in lines


@pytest.mark.parametrize("text", ["nothing here\n", "<!-- measured: radix -->\nno end\n"])
def test_a_page_without_a_place_is_refused_and_stays(tables: Any, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(SystemExit, match="0 places for the tables of radix"):
        tables.fill(page, {"radix": ["a line"]})
    assert page.read_text() == text


def test_the_page_has_a_filled_place_for_every_suite(tables: Any) -> None:
    import bench_dbscan
    import bench_jobs

    for page, bench in ((PAGE, bench_dbscan), (JOBS_PAGE, bench_jobs)):
        text = page.read_text()
        for suite in bench.SUITES:
            assert text.count(tables.mark(suite) + "\n\n|") == 1, suite

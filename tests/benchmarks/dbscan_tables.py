"""What was measured as tables, put into a page between marks: no figure between them is typed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbscan_limits import Figure, figures

END = "<!-- measured: end -->"
Trials = dict[str, dict[str, Any]]


def mark(suite: str) -> str:
    """Return the line after which a suite's tables stand."""
    return f"<!-- measured: {suite} -->"


def fill(page: Path, trials: Trials) -> None:
    """Replace the tables of the suites that were measured; those of others stay.

    Raises
    ------
    SystemExit
        If the page has no place for a suite's tables.
    """
    text = page.read_text()
    for suite in dict.fromkeys(name.partition("-")[0] for name in trials):
        own = {name: result for name, result in trials.items() if name.partition("-")[0] == suite}
        place = re.compile(f"{re.escape(mark(suite))}\n.*?{re.escape(END)}", re.DOTALL)
        tables = "\n".join([mark(suite), "", *_tables(own), "", END])
        text, n = place.subn(lambda _, tables=tables: tables, text)
        if n != 1:
            raise SystemExit(f"{page}: {n} places for the tables of {suite}; there must be one, {mark(suite)} to {END}")
    page.write_text(text)


def _tables(own: Trials) -> Iterator[str]:
    if "first" not in own:
        yield from ("| trial | run | CPU s | wall s | bytes a point | peak MB |", "|---|---|---|---|---|---|")
        for name, result in own.items():
            yield from (_row(name, run, found) for run, found in result.items())
        yield ""
    yield from ("| figure | measured | limit |", "|---|---|---|")
    yield from (f"| {figure.name} | {figure.value:.4g} | {limit(figure)} |" for figure in figures(own))


def _row(name: str, run: str, found: dict[str, Any]) -> str:
    seconds = f"{found['cpu_s']:.3f} | {found['wall_s']:.3f}"
    return f"| {name} | {run} | {seconds} | {found['working_bytes_a_point']:.1f} | {found['peak_mb']:.0f} |"


def limit(figure: Figure) -> str:
    """Tell the limit of a figure, and whether it is missed."""
    told = "" if figure.least is None else f"at least {figure.least:g}"
    told += "" if figure.most is None else f"at most {figure.most:g}"
    return told + ("" if figure.holds() else ", DOES NOT HOLD")

"""What was measured as tables, put into a page between marks: no figure between them is typed in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbscan_limits import Figure, limit

END = "<!-- measured: end -->"
Trials = Mapping[str, Mapping[str, Any]]


def mark(suite: str) -> str:
    """Return the line after which a suite's tables stand."""
    return f"<!-- measured: {suite} -->"


def fill(page: Path, tables: Mapping[str, Sequence[str]]) -> None:
    """Replace the tables of some suites; those of others stay.

    Raises
    ------
    SystemExit
        If the page has no place for a suite's tables.
    """
    text = page.read_text()
    for suite, lines in tables.items():
        place = re.compile(f"{re.escape(mark(suite))}\n.*?{re.escape(END)}", re.DOTALL)
        new = "\n".join([mark(suite), "", *lines, "", END])
        text, n = place.subn(lambda _, new=new: new, text)
        if n != 1:
            raise SystemExit(f"{page}: {n} places for the tables of {suite}; there must be one, {mark(suite)} to {END}")
    page.write_text(text)


def by_suite(trials: Trials) -> dict[str, Trials]:
    """Group trials by the first word of their names."""
    suites = dict.fromkeys(name.partition("-")[0] for name in trials)
    return {suite: {n: found for n, found in trials.items() if n.partition("-")[0] == suite} for suite in suites}


def table(trials: Trials, columns: Mapping[str, tuple[str, str]], figures: Sequence[Figure]) -> list[str]:
    """Return the lines of two tables: a row for each run, its fields by heading, and the figures with their limits."""
    return [*_runs(trials, columns), *figure_table(figures)]


def figure_table(figures: Sequence[Figure]) -> list[str]:
    """Return the lines of a table of figures and their limits."""
    rows = [f"| {figure.name} | {figure.value:.4g} | {limit(figure)} |" for figure in figures]
    return ["| figure | measured | limit |", "|---|---|---|", *rows]


def _runs(trials: Trials, columns: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield f"| trial | run | {' | '.join(columns)} |"
    yield "|---" * (2 + len(columns)) + "|"
    for name, result in trials.items():
        for run, found in result.items():
            yield f"| {name} | {run} | {' | '.join(format(found[key], how) for key, how in columns.values())} |"
    yield ""

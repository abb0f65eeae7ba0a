"""Render the site's pages: hotspots first, then engines, model, drift, runs, evidence, cost and data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cabstand.report import drift_timeline, pages, run_pages
from cabstand.report.content import Json
from cabstand.report.figures import figures
from cabstand.report.site.results import Results
from cabstand.report.templating import page, static

INDEX = "index.html"
TITLES = {
    INDEX: "Hotspots",
    "engines.html": "Engines",
    "model.html": "Model",
    "drift.html": "Drift",
    "runs.html": "Runs",
    "evidence.html": "Evidence",
    "cost.html": "Cost",
    "data.html": "Data",
}


def render(results: Results, *, made_at: str, version: str) -> dict[str, str]:
    """Return each page by its file name, those of single runs last; `made_at` and `version` are shown in footers."""
    shared = {
        "results": results,
        "synthetic": results.synthetic,
        "made_at": made_at,
        "version": version,
        "content": results.content,
        **(pages.sections(results.content, figures(results.content)) if results.content else {}),
    }
    made = {}
    for name in TITLES:
        shared["nav"] = _nav(name)
        made[name] = _page(name, results, shared)
    return made | _runs(results, {"nav": _nav("runs.html"), "synthetic": results.synthetic})


def _nav(current: str) -> list[dict[str, Any]]:
    return [{"address": one, "title": TITLES[one], "current": one == current} for one in TITLES]


def _runs(results: Results, site: Mapping[str, Any]) -> dict[str, str]:
    """Return the page of each run by the name that the list of runs gives it."""
    known = ("state", "compared", "earlier")
    return {
        one["page"]: run_pages.run(one["manifest"], **{name: one[name] for name in known}, site=site)
        for one in results.runs
    }


def _page(name: str, results: Results, shared: Mapping[str, Any]) -> str:
    if name == "evidence.html" and results.evidence:
        return pages.evidence({**results.evidence, "nav": shared["nav"], "synthetic": results.synthetic})
    template = f"site/{'hotspots.html' if name == INDEX else name}.j2"
    if name == INDEX:
        return page(template, style=static("leaflet.css"), script=pages.map_script(), **shared)
    return page(
        template,
        runs=results.runs,
        compared=_compared(results.problems),
        came_of=drift_timeline.came_of,
        pictures=[pages.embedded(figure) for figure in drift_timeline.figures(results.monitoring)],
        **shared,
    )


def _compared(problems: Mapping[str, Json]) -> dict[str, list[dict[str, Any]]]:
    """Return each problem's figures of champion and challenger side by side; without one, of the champion before."""
    return {name: rows for name, one in problems.items() if (rows := _figures(one))}


def _figures(problem: Json) -> list[dict[str, Any]]:
    by_version = {row["version"]: row.get("metrics", {}) for row in problem["versions"]}
    champion, rival = (
        by_version.get(one, {}) for one in (problem["champion"], problem["challenger"] or problem["previous"])
    )
    return [{"figure": name, "champion": value, "rival": rival.get(name)} for name, value in champion.items()]

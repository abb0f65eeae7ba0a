"""Report: one self-contained page, and its pictures, from what the other jobs have published."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cabstand import __version__, log
from cabstand.errors import DataError
from cabstand.io import provenance, publish, storage
from cabstand.jobs import cluster, compare, sweep
from cabstand.report import pages, pictures
from cabstand.report.content import Content, largest
from cabstand.report.figures import figures
from cabstand.settings import Settings

PAGE = "report.html"


@dataclass(frozen=True)
class Params:
    """What to report on; an empty address takes the newest in the lake.

    Attributes
    ----------
    hotspots, comparison, sweep : str
        Folder that `cluster`, `compare` or `sweep` published.
    out : str
        Folder for the page, instead of one under `<home>/reports`.
    dry_run : bool
        Say what would be written, and write nothing.
    """

    hotspots: str = ""
    comparison: str = ""
    sweep: str = ""
    out: str = ""
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Write the page and its pictures.

    Raises
    ------
    DataError
        If nothing has been clustered yet, or what is named is not there.
    """
    content = gather(settings, params)
    parts = [part["run_key"] for part in (content.clustering, content.comparison, content.sweep) if part]
    target = params.out or str(settings.home / "reports" / provenance.run_key("report", {}, {"parts": parts}))
    if params.dry_run:
        return {"dry_run": True, "would_write": target, "parts": parts}
    drawn = figures(content)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with publish.folder(target, PAGE) as folder, log.progress("drawing", len(drawn) + 1) as advance:
        for figure in drawn:
            pictures.write_png(figure.chart, folder / f"{figure.name}.png")
            advance(1)
        page = pages.render(content, drawn, made_at=now, version=__version__)
        (folder / PAGE).write_text(page, encoding="utf-8")
    return {
        "report_uri": storage.join(target, PAGE),
        "picture_uris": [storage.join(target, f"{figure.name}.png") for figure in drawn],
        "parts": parts,
        "synthetic": content.synthetic,
    }


def gather(settings: Settings, params: Params) -> Content:
    """Return the published results that the report shows."""
    lake = settings.lake_uri
    where, clustering = _found(lake, "hotspots", params.hotspots, publish.MANIFEST, cluster.SCHEMA_VERSION)
    if clustering is None:
        raise DataError("nothing has been clustered yet", where=lake, hint="run `cabstand cluster` first")
    _, compared = _found(lake, "comparisons", params.comparison, compare.REPORT, compare.SCHEMA_VERSION)
    _, swept = _found(lake, "sweeps", params.sweep, sweep.REPORT, sweep.SCHEMA_VERSION)
    features = json.loads(storage.read(storage.join(where, cluster.GEOJSON)))["features"]
    zones = storage.join(lake, "zones", "zones.geojson")
    return Content(
        clustering=clustering,
        hotspots=largest(features),
        zones=json.loads(storage.read(zones)) if storage.exists(zones) else None,
        months=_months(clustering["source"]["uri"]),
        comparison=compared,
        sweep=swept,
    )


def _found(lake: str, kind: str, named: str, name: str, version: int) -> tuple[str, dict[str, Any] | None]:
    """Return the folder and manifest that are named, or else the newest of its kind in the lake."""
    if named:
        manifest = publish.manifest(named, version, name)
        if manifest is None:
            raise DataError(f"no {name} there", where=named, hint=f"give a folder under {lake}/{kind}")
        return named, manifest
    folders = [uri.removesuffix(f"/{name}") for uri in storage.list_under(storage.join(lake, kind)) if _ends(uri, name)]
    made = [(folder, publish.manifest(folder, version, name)) for folder in folders]
    return max(
        ((folder, manifest) for folder, manifest in made if manifest),
        key=lambda pair: pair[1]["created_at"],
        default=("", None),
    )


def _ends(uri: str, name: str) -> bool:
    return uri.endswith(f"/{name}")


def _months(source: str) -> list[dict[str, Any]]:
    """Return the manifests that stand beside the months that were clustered."""
    parent = source.rstrip("/").rsplit("/", 1)[0] if source.endswith(".parquet") else source.rstrip("/")
    beside: Iterable[str] = storage.list_under(parent)
    single = source.removesuffix(".parquet") if source.endswith(".parquet") and "*" not in source else ""
    manifests = [uri for uri in beside if uri.endswith(".manifest.json") and uri.startswith(single)]
    return [json.loads(storage.read(uri)) for uri in manifests]

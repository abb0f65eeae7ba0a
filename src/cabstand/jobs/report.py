"""Report: one self-contained page with its pictures, from what `cluster`, `compare` and `sweep` published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from cabstand import __version__, log
from cabstand.errors import DataError
from cabstand.io import provenance, publish, storage, synthetic, zones
from cabstand.jobs.publishing import hotspots, kinds, pickups
from cabstand.jobs.publishing.once import Kind
from cabstand.report import hulls, pages, pictures
from cabstand.report.content import MAP_HOTSPOTS, Content, Json, largest
from cabstand.report.figures import figures
from cabstand.settings import Settings

PAGE = "report.html"
EVIDENCE = "reports/evidence/evidence.json"  # in the home, of `cabstand verify`
PNG_WIDTH = 800


@dataclass(frozen=True)
class Params:
    """What to report on: folders that the jobs published, by default the newest in the lake."""

    hotspots: str = ""
    comparison: str = ""
    sweep: str = ""
    out: str = ""
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Write the page and its pictures."""
    with log.progress("reading results"):
        content = gather(settings, params)
    parts = [part["run_key"] for part in (content.clustering, content.comparison, content.sweep) if part]
    key = provenance.run_key("report", {}, {"parts": parts})
    target = params.out or str(settings.home / "reports" / key)
    if params.dry_run:
        return {"dry_run": True, "would_write": target, "parts": parts}
    drawn = [replace(figure, caption=" ".join([figure.caption, *content.notes])) for figure in figures(content)]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with publish.folder(target, PAGE) as folder, log.progress("drawing", len(drawn) + 1) as advance:
        for figure in drawn:
            picture = pictures.png(figure.chart, figure.title, figure.caption, PNG_WIDTH, figure.theme)
            (folder / f"{figure.name}.png").write_bytes(picture)
            advance(1)
        page = pages.render(content, drawn, made_at=now, version=__version__)
        (folder / PAGE).write_text(page, encoding="utf-8")
    return {
        "report_uri": storage.join(target, PAGE),
        "picture_uris": [storage.join(target, f"{figure.name}.png") for figure in drawn],
        "parts": parts,
        "synthetic": content.synthetic,
        "by_zone": content.by_zone,
    }


def gather(settings: Settings, params: Params) -> Content:
    """Return the published results that the report shows."""
    lake = settings.lake_uri
    folder, clustering = _find(lake, hotspots.KIND, params.hotspots)
    if clustering is None:
        raise DataError("nothing has been clustered yet", where=lake, hint=advice(settings))
    made = clustering["source"]["synthetic"]
    synthetic.require(settings, made, folder)
    outlines = zones.outlines(lake)
    return replace(
        read(settings, folder, clustering),
        zones=outlines.geojson if outlines else None,
        comparison=_find(lake, kinds.COMPARISON, params.comparison, made)[1],
        sweep=_find(lake, kinds.SWEEP, params.sweep, made)[1],
        home="" if settings.home == Settings.model_fields["home"].default else str(settings.home),
    )


def read(settings: Settings, folder: str, clustering: dict[str, Any]) -> Content:
    """Return what a folder of hotspots and its input say, without what is beside them in the lake."""
    spots = _largest(folder, hotspots.GEOJSON)
    found = pickups.read(settings, folder, clustering, spots[:MAP_HOTSPOTS])
    return Content(
        clustering=clustering,
        hotspots=spots,
        parts=_largest(folder, hotspots.PARTS_GEOJSON) if clustering.get("parts") else (),
        outlines=_outlines(folder, clustering, spots),
        months=_months(clustering["source"]["uri"]),
        raster=found.raster,
        week=found.week,
        weeks=found.weeks,
    )


def _largest(folder: str, name: str) -> list[Json]:
    return largest(json.loads(storage.read(storage.join(folder, name)))["features"])


def _outlines(folder: str, clustering: dict[str, Any], spots: Sequence[Json]) -> dict[int, hulls.Ring]:
    """Return the outlines of the hotspots on the map; none where all trips of a zone share one point."""
    uri = storage.join(folder, hotspots.CORES)
    if clustering["source"]["by_zone"] or not storage.exists(uri):
        return {}
    with storage.fetched(uri) as path:
        cores = pq.read_table(path, columns=["lat", "lon", "cluster"])
    latlon = np.stack([cores["lat"].to_numpy(), cores["lon"].to_numpy()], axis=1)
    wanted = [spot["id"] for spot in spots[:MAP_HOTSPOTS]]
    return hulls.outlines(latlon, cores["cluster"].to_numpy(), wanted, clustering["eps_m"])


def advice(settings: Settings) -> str:
    """Return what to run where nothing has been clustered."""
    apart = synthetic.apart(settings)
    if apart is settings or not synthetic.of_lake(apart.lake_uri):
        return "run `cabstand cluster` first, or name its lake with --lake or CABSTAND_LAKE"
    return f"run `cabstand cluster` first, or show synthetic results with CABSTAND_HOME={apart.home}"


def _find(lake: str, kind: Kind, folder: str, made: bool | None = None) -> tuple[str, dict[str, Any] | None]:
    """Return a folder and its manifest: the one that is named, or else the newest in the lake.

    `made` is whether the report is on synthetic data: a result of the other kind is not found, and not accepted.
    """
    if folder:
        manifest = publish.manifest(folder, kind.schema_version, kind.manifest)
        if manifest is None:
            raise DataError(f"no {kind.manifest} there", where=folder, hint=f"give a folder under {lake}/{kind.folder}")
        synthetic.one_kind(
            {folder: manifest["source"]["synthetic"], "the clustering": made} if made is not None else {}
        )
        return folder, manifest
    return max(
        ((one, manifest) for one, manifest in published(lake, kind) if made in {None, manifest["source"]["synthetic"]}),
        key=lambda pair: pair[1]["created_at"],
        default=("", None),
    )


def published(lake: str, kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the folders of a kind in the lake with their manifests."""
    end = f"/{kind.manifest}"
    for uri in storage.list_under(storage.join(lake, kind.folder)):
        folder = uri.removesuffix(end)
        if folder != uri and (manifest := publish.manifest(folder, kind.schema_version, kind.manifest)):
            yield folder, manifest


def _months(source: str) -> list[dict[str, Any]]:
    """Return the manifests of the months that were clustered, which lie beside them."""
    is_file = source.endswith(".parquet")
    folder = source.rsplit("/", 1)[0] if is_file else source.rstrip("/")
    prefix = source.removesuffix(".parquet") if is_file and "*" not in source else ""
    uris = [uri for uri in storage.list_under(folder) if uri.endswith(".manifest.json") and uri.startswith(prefix)]
    return [json.loads(storage.read(uri)) for uri in uris]

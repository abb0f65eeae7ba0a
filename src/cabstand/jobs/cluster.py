"""Cluster points on this machine and publish the hotspots, labels and core points."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cabstand import log
from cabstand.clustering import core_index, densest, engines, geofiles, unchained
from cabstand.clustering.collapse import collapse
from cabstand.clustering.columns import End
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.distinct_points import distinct_core_points
from cabstand.clustering.engines import Engine
from cabstand.clustering.extents import total_weight
from cabstand.clustering.hotspots import Hotspots, summarise
from cabstand.clustering.parts import Parts
from cabstand.errors import ConfigError
from cabstand.io import points, synthetic, zones
from cabstand.io.points import Points
from cabstand.io.thinning import thinned
from cabstand.io.tracking import Source
from cabstand.io.usage import Usage, measure
from cabstand.io.zones import Outlines
from cabstand.jobs.publishing import chaining as chains
from cabstand.jobs.publishing import hotspots
from cabstand.jobs.publishing.once import Output, publish_once
from cabstand.settings import Settings
from cabstand.trips.columns import BY_ALIAS, Named

T = TypeVar("T")


@dataclass(frozen=True)
class Params:
    """What to cluster, and how; the fields are the options of `cabstand cluster`."""

    input: str
    eps_m: float = 50.0
    min_samples: int = 20
    engine: str = "multicore"  # or `auto`
    n_workers: int | None = None
    engine_reason: str = "asked for"  # why this engine, for the result
    end: End = "pickup"
    named: Named = BY_ALIAS
    era: str | None = None
    weight_column: str | None = None
    max_spread_m: float | None = None  # hotspots that spread further are divided into their densest parts
    out: str | None = None
    track: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class _Found:
    """A clustering, and what is made of it."""

    clustering: Clustering
    hotspots: Hotspots
    chaining: dict[str, Any] | None
    parts: Parts | None


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Cluster and publish, unless the same result exists already."""
    _check(params)  # before the input is read
    settings = synthetic.admit(settings, params.input)
    zones_uri = zones.table_uri(settings.lake_uri)
    with log.progress("reading"):
        read = points.read_as(params, zones_uri)
    if read.by_zone and params.max_spread_m is not None:
        raise ConfigError("trips that only have a zone have no densest parts", where="--max-spread-m")
    engine, n_workers, reason = _engine(params, len(read))
    outlines = zones.outlines(settings.lake_uri)

    def compute(output: Output) -> dict[str, Any]:
        with log.progress("preparing the kernels"):
            _warm_up(read, params, engine, n_workers)
        with log.progress(f"clustering {len(read):,} points"):
            clustering, usage = measure(lambda: _cluster(read, params, engine, n_workers))

        def write_points() -> None:
            _write_cores(output.folder, read, clustering, params.eps_m)
            if params.max_spread_m is None:
                _write_labels(output.folder, read, clustering, None)

        found = _beside(write_points, lambda: _describe(read, params, clustering, n_workers), n_workers)
        with log.progress("writing"):
            _write(output.folder, read, found, params.eps_m, outlines)
        return hotspots.complete(output, _facts(read, found, usage))

    source = Source(read.uri, read.sha256)
    request = hotspots.request(
        params,
        source,
        outlines,
        engine.name,
        n_workers,
        params.weight_column,
        planned={"n_points": len(read)},
        further={} if params.max_spread_m is None else {"max_spread_m": float(params.max_spread_m)},
    )
    result = publish_once(settings, hotspots.KIND, request, compute, hotspots.result)
    chains.warn(result)
    return result | {"engine_reason": reason}


def _check(params: Params) -> None:
    if params.engine != engines.AUTO:
        engines.parse(params.engine, params.n_workers)
    engines.check(params.eps_m, params.min_samples)
    if params.max_spread_m is not None:
        densest.check(params.max_spread_m)


def _engine(params: Params, n_points: int) -> tuple[Engine, int, str]:
    """Return the engine, its number of workers, and why it was chosen."""
    if params.engine == engines.AUTO:
        return engines.automatic(n_points, params.n_workers)
    return *engines.parse(params.engine, params.n_workers), params.engine_reason


def _warm_up(read: Points, params: Params, engine: Engine, n_workers: int) -> None:
    """Load or compile what the clustering needs: cluster some of the points, with neighbourhoods about as full.

    `Engine.warm_up` covers whatever other points might need, and takes longer.
    """
    if not engine.compiles:
        engine.warm_up(n_workers)
        return
    some, wider = thinned(read)
    _cluster(some, replace(params, eps_m=params.eps_m * wider), engine, n_workers)


def _cluster(read: Points, params: Params, engine: Engine, n_workers: int) -> Clustering:
    if not read.by_zone:
        return engine.run(read.latlon, params.eps_m, params.min_samples, read.weight, n_workers)
    # Trips that know only their zone share its centroid.
    distinct = collapse(read.latlon, read.weight)
    found = engine.run(distinct.points, params.eps_m, params.min_samples, distinct.weight, n_workers)
    return Clustering(found.labels[distinct.inverse], found.core[distinct.inverse], found.n_clusters)


def _describe(read: Points, params: Params, clustering: Clustering, n_workers: int) -> _Found:
    """Describe the hotspots; where they chain, look for an eps that does not, and divide those that spread too far."""
    labels, core, _ = clustering
    with log.progress("describing the hotspots"):
        described = summarise(read.latlon, labels, core, params.eps_m, weight=read.weight, at=read.at)
    chained = None if read.by_zone else chains.judge(described, total_weight(len(read), read.weight))
    if chained:
        with log.progress("looking for an eps that keeps hotspots apart"):
            apart = unchained.largest_eps(
                read.latlon, labels, params.eps_m, params.min_samples, weight=read.weight, n_threads=n_workers
            )
        chained["suggested"] = asdict(apart) if apart else None
    parts = None
    if params.max_spread_m is not None:
        with log.progress("dividing hotspots"):
            parts = densest.find(
                read.latlon,
                labels,
                params.eps_m,
                params.min_samples,
                params.max_spread_m,
                weight=read.weight,
                n_threads=n_workers,
            )
    return _Found(clustering, described, chained, parts)


def _write(folder: Path, read: Points, found: _Found, eps_m: float, outlines: Outlines | None) -> None:
    parts = found.parts
    hotspots.write(folder, found.hotspots, outlines, eps_m, read.uri, read.marks)
    if parts is not None:
        described = summarise(read.latlon, parts.labels, parts.core, eps_m, weight=read.weight, at=read.at)
        hotspots.write_parts(folder, parts, described, outlines, eps_m, read.uri, read.marks)
        _write_labels(folder, read, found.clustering, parts.labels)


def _write_labels(folder: Path, read: Points, clustering: Clustering, part: NDArray[np.int32] | None) -> None:
    """Write the label of each point, with its part of a hotspot where these are divided."""
    table = geofiles.labels_table(read.row, clustering.labels, clustering.core, part)
    hotspots.write_parquet(table, folder / hotspots.LABELS, read.marks)


def _write_cores(folder: Path, read: Points, clustering: Clustering, eps_m: float) -> None:
    """Write the core points, and the index of them."""
    labels, core, _ = clustering
    points, clusters, counts = distinct_core_points(np.compress(core, read.latlon, axis=0), labels[core])
    hotspots.write_parquet(geofiles.cores_table(points, clusters, counts), folder / hotspots.CORES, read.marks)
    core_index.write(folder / hotspots.INDEX, points, clusters, eps_m, read.marks)


def _beside(other: Callable[[], None], work: Callable[[], T], n_workers: int) -> T:
    """Return what `work` returns, done at the same time as the `other` work if there is more than one thread."""
    if n_workers == 1:
        other()
        return work()
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(other)
        found = work()
        beside.result()
    return found


def _facts(read: Points, found: _Found, usage: Usage) -> dict[str, Any]:
    """Return what the manifest says of the clustering."""
    clustering = found.clustering
    return {
        "source": {
            **read.source,
            "n_rows": read.n_rows,
            "n_without_place": read.n_without_place,
            **_period(read),
        },
        "n_points": len(read),
        "n_clusters": clustering.n_clusters,
        "n_noise": int(np.count_nonzero(clustering.labels < 0)),
        "n_core": int(np.count_nonzero(clustering.core)),
        "chaining": found.chaining,
        "parts": None if found.parts is None else _parts(read, found.parts),
        **asdict(usage),
    }


def _period(read: Points) -> dict[str, str]:
    """Return the first and last local time of the points, if any is known."""
    if read.at is None or np.isnat(read.at).all():
        return {}
    first, last = (end.astype("M8[s]") for end in (np.nanmin(read.at), np.nanmax(read.at)))
    return {"first_at": str(first), "last_at": str(last)}


def _parts(read: Points, parts: Parts) -> dict[str, Any]:
    inside = parts.labels >= 0
    total = total_weight(len(read), read.weight)
    weight = total_weight(int(inside.sum()), None if read.weight is None else read.weight[inside])
    return {"n_parts": len(parts), "n_divided": parts.n_divided, "share": weight / total if total > 0 else 0.0}

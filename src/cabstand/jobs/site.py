"""Site: the results in the lake, of the models and in MLflow as pages that link to each other and fetch nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cabstand import __version__, log
from cabstand.costs import clustering as prices
from cabstand.costs.table import load
from cabstand.errors import DataError
from cabstand.io import publish, storage
from cabstand.jobs import cost, report
from cabstand.jobs.presenting import models, monitoring, periods, runs
from cabstand.jobs.presenting.records import read
from cabstand.jobs.publishing import hotspots, site
from cabstand.report.content import Content
from cabstand.report.site import pages
from cabstand.report.site.results import Results
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to show, by default the newest; the fields are the options of `cabstand site`."""

    hotspots: str = ""  # folder of the clustering that is shown first
    plan: Path | None = None  # Terraform's, in JSON, for the page of costs
    out: str = ""
    publish: bool = False  # in the site bucket, too
    track: bool = True  # show MLflow's runs
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Write the pages beside the site that is there, swap the two, and publish them if that is asked for."""
    if params.publish:
        site.require(settings)
    target = params.out or str(settings.home / "site")
    if params.dry_run:
        return {"dry_run": True, "would_write": target, "pages": list(pages.TITLES)}
    with log.progress("reading results"):
        results = gather(settings, params)
    if results.is_empty:
        raise DataError("there is nothing to show yet", where=settings.lake_uri, hint=report.advice(settings))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with log.progress("drawing"):
        made = {name: page.encode() for name, page in pages.render(results, made_at=now, version=__version__).items()}
    with publish.folder(target, pages.INDEX) as folder:
        for name, page in made.items():
            (folder / name).write_bytes(page)
    version = site.publish(settings, "site", made) if params.publish else None
    return {
        "index_uri": storage.join(target, pages.INDEX),
        "site_uri": version and storage.join(version, pages.INDEX),
        "pages": list(made),
        "bytes": sum(map(len, made.values())),
        "synthetic": results.synthetic,
    }


def published(settings: Settings, folder: str, *, track: bool) -> str | None:
    """Publish what there is, a run's folder of hotspots first, and return the first page; None where no site is set."""
    if not settings.site:
        return None
    return str(run(settings, Params(hotspots=folder, publish=True, track=track))["site_uri"])


def gather(settings: Settings, params: Params) -> Results:
    """Return what there is to show."""
    content = _content(settings, params)
    comparison = content.comparison if content else None
    table = load()
    evidence = read(uri for uri in [storage.join(str(settings.home), report.EVIDENCE)] if storage.exists(uri))
    return Results(
        content=content,
        prices=[asdict(one) for one in prices.per_million(comparison, table)] if comparison else (),
        price_date=table.oldest,
        problems=models.problems(settings),
        monitoring=monitoring.decisions(settings.lake_uri),
        runs=runs.newest(settings.lake_uri),
        tracked=runs.tracked(settings) if params.track else (),
        evidence=evidence[0] if evidence else None,
        cost=cost.run(settings, cost.Params(params.plan)) if params.plan else None,
    )


def _content(settings: Settings, params: Params) -> Content | None:
    """Return the clustering that is named, or else the newest; None if nothing has been clustered."""
    if not params.hotspots and not any(report.published(settings.lake_uri, hotspots.KIND)):
        return None
    return periods.with_others(settings, report.gather(settings, report.Params(hotspots=params.hotspots)))

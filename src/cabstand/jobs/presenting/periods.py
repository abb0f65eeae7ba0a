"""Clusterings of other periods, for the map to show beside the newest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cabstand.jobs import report
from cabstand.jobs.publishing import hotspots
from cabstand.report.content import Content
from cabstand.settings import Settings

MOST = 3  # besides the one in question: each adds up to a megabyte to the page


def with_others(settings: Settings, content: Content) -> Content:
    """Return the content with the newest clustering of each other input of its kind, the newest ones."""
    own = content.clustering["source"]
    every = report.published(settings.lake_uri, hotspots.KIND)
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for folder, manifest in sorted(every, key=lambda pair: pair[1]["created_at"], reverse=True):
        source = manifest["source"]
        if all(source[name] == own[name] for name in ("synthetic", "by_zone")) and source["uri"] != own["uri"]:
            found.setdefault(source["uri"], (folder, manifest))
    others = [report.read(settings, folder, manifest) for folder, manifest in list(found.values())[:MOST]]
    return replace(content, others=[one for one in others if one.hotspots])

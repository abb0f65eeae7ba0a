"""The input `newest`: the newest month of trips in the lake, for schedules that work on what the pipeline brought."""

from __future__ import annotations

import logging
from datetime import date

from cabstand.io import lake, synthetic
from cabstand.jobs.pipelining import months
from cabstand.settings import Settings

NEWEST = "newest"
_log = logging.getLogger(__name__)


def resolve(settings: Settings, uri: str, today: date) -> str:
    """Return the address of the newest month if `uri` is `newest` or `newest:<dataset>`, else `uri` itself."""
    found = find(settings, uri, today)
    return uri if found is None else found.trips_uri


def find(settings: Settings, uri: str, today: date) -> lake.Month | None:
    """Return the newest month if `uri` is `newest` or `newest:<dataset>`, else None."""
    word, _, dataset = uri.partition(":")
    if word != NEWEST:
        return None
    if months.is_synthetic(dataset):
        settings = synthetic.settings_for(settings, True, dataset)
    found = months.latest(settings, dataset, today)
    _log.info("the newest month is %s %s", found.dataset, found.month)
    return found

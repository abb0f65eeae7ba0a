"""The runs of the lake: what their journals say, and how a run differs from the one before."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cabstand.errors import CabstandError, ConfigError, DataError, suggest
from cabstand.io import run_manifest, run_owner, storage
from cabstand.io.journal import MANIFEST
from cabstand.io.run_manifest import INTERRUPTED, NOTHING

FOLDER = "runs"
STATES = ("done", "failed", "running", INTERRUPTED, NOTHING)
READERS = 16  # manifests that are read at the same time
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run, its folder, and the manifest of its journal."""

    folder: str
    manifest: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The run's key: its name and a hash."""
        return str(self.manifest["run_key"])

    @property
    def name(self) -> str:
        """The name of the workflow, or `pipeline`."""
        return self.key.rpartition("-")[0]

    @property
    def started(self) -> str:
        """When the run first started, in UTC; empty if that was never written."""
        first = min((step["started"] for step in self.manifest["steps"].values()), default="")
        return str(self.manifest.get("started") or first)

    @property
    def ended(self) -> str | None:
        """When its last step ended, or None while it runs."""
        ends = [step.get("ended") for step in self.manifest["steps"].values()]
        return max(filter(None, ends), default=None) if self.state != "running" else None

    @property
    def state(self) -> str:
        """One of `STATES`; a run whose process is gone was interrupted."""
        found = {step["status"] for step in self.manifest["steps"].values()}
        for status in ("failed", INTERRUPTED):
            if status in found:
                return status
        whole = set(self.manifest.get("planned", ())) <= set(self.manifest["steps"])
        if whole and "done" in found and found <= {"done", NOTHING}:
            return "done"
        if NOTHING in found and "running" not in found and (whole or self.name == "pipeline"):
            return NOTHING
        return INTERRUPTED if self._is_dead() else "running"

    @property
    def seconds(self) -> float | None:
        """Seconds in all steps that have ended, their last attempts alone; None if none has."""
        known = [one for step in self.manifest["steps"].values() if (one := seconds(step)) is not None]
        return round(sum(known), 3) if known else None

    @property
    def peak_rss_mb(self) -> float:
        """The most memory of a process in it, in MiB; 0 if that was never written."""
        return max((float(step.get("peak_rss_mb", 0)) for step in self.manifest["steps"].values()), default=0.0)

    @property
    def retries(self) -> int:
        """How many attempts of its steps were not the first one."""
        return sum(int(step["attempts"]) - 1 for step in self.manifest["steps"].values())

    def _is_dead(self) -> bool:
        """Return whether its process has ended, or, on another machine, the time of the step that runs is long over."""
        owner = self.manifest.get("owner", {})
        if owner.get(run_owner.MACHINE) != run_owner.machine():
            limits = [at(step["started"]) + float(step.get("timeout_s", 0)) for step in self.manifest["steps"].values()]
            return bool(limits) and time.time() > max(limits) + run_owner.SILENT_S
        return run_owner.is_dead(owner, 0, time.time())


def listed(lake_uri: str, name: str = "") -> list[Run]:
    """Return the runs of a lake, or those of one name, the newest first; one that cannot be read is logged."""
    prefix = storage.join(lake_uri, FOLDER)
    uris = [uri for uri in storage.list_under(prefix) if uri.endswith(f"/{MANIFEST}")]
    uris = [uri for uri in uris if not name or _name(uri) == name]
    with ThreadPoolExecutor(READERS) as pool:
        found = [run for run in pool.map(_read_or_warn, uris) if run]
    return sorted(found, key=lambda run: run.started, reverse=True)


def find(lake_uri: str, key: str) -> Run:
    """Return the run with a key, or a unique beginning of one; ConfigError if there is none, or more than one."""
    prefix = storage.join(lake_uri, FOLDER)
    uris = {uri.rsplit("/", 2)[1]: uri for uri in storage.list_under(prefix) if uri.endswith(f"/{MANIFEST}")}
    chosen = [one for one in uris if one == key] or [one for one in uris if one.startswith(key)]
    if len(chosen) != 1:
        what = f"{len(chosen)} runs begin with {key[:60]!r}" if chosen else f"no run {key[:60]!r}"
        raise ConfigError(what, where=prefix, hint=suggest(key, sorted(uris)[:5]) if uris else "`cabstand runs`")
    return _read(uris[chosen[0]])


def before(run: Run, others: Sequence[Run]) -> Run | None:
    """Return the newest of other runs of the same name that started before a run."""
    found = (one for one in others if (one.name, one.key) != (run.name, run.key) and one.name == run.name)
    return max((one for one in found if one.started < run.started), key=lambda one: one.started, default=None)


def compared(run: Run, earlier: Run | None) -> list[dict[str, Any]]:
    """Return by step how long it took now and before, and which of the things it read or wrote are others.

    An address counts as `changed` if its content is, as `new` or `gone` if one of the two runs lacks it.
    """
    if earlier is None:
        return []
    rows = []
    for name, step in run.manifest["steps"].items():
        old = earlier.manifest["steps"].get(name, {})
        row = {"step": name, "seconds": seconds(step), "seconds_before": seconds(old)}
        rows.append(row | {part: list(_differences(step, old, part)) for part in ("inputs", "outputs")})
    return rows


def beside(run: Run, others: Sequence[Run]) -> dict[str, Any]:
    """Return what the page of a run says of it beside the one before: `state`, `compared`, and `earlier`, its key."""
    earlier = before(run, others)
    return {"state": run.state, "compared": compared(run, earlier), "earlier": earlier.key if earlier else ""}


def seconds(step: Mapping[str, Any]) -> float | None:
    """Return how long a step's last attempt took, or None if it has not ended."""
    return round(at(step["ended"]) - at(step["started"]), 3) if step.get("ended") else None


def at(moment: str) -> float:
    """Return a journal's moment as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def _differences(step: Mapping[str, Any], old: Mapping[str, Any], part: str) -> Iterator[dict[str, str]]:
    now, then = ({one["uri"]: one["sha256"] for one in each.get(part, ())} for each in (step, old))
    for uri in {**now, **then}:
        if now.get(uri) != then.get(uri):
            yield {"uri": uri, "difference": "gone" if uri not in now else "changed" if uri in then else "new"}


def _name(uri: str) -> str:
    return uri.rsplit("/", 2)[1].rpartition("-")[0]


def _read(uri: str) -> Run:
    """Return a run, whose folder has its key's name; a DataError if the manifest is not one."""
    folder, manifest = uri.rpartition("/")[0], run_manifest.parse(storage.read(uri), uri)
    if folder.rpartition("/")[2] != manifest["run_key"]:
        raise DataError(f"the manifest of the run {manifest['run_key']}, in another's folder", where=uri)
    return Run(folder, manifest)


def _read_or_warn(uri: str) -> Run | None:
    try:
        return _read(uri)
    except CabstandError as error:
        _log.warning("%s", error)
        return None

"""The bundles that serve: read from the store, checked again in the background, replaced whole.

A pointer is requested with the tag of the one in force, so an unchanged pointer costs nothing. A new bundle is loaded
and tried beside the old one, which serves on until the new one is ready, or for good if that is refused.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cabstand.api.errors import ApiError
from cabstand.api.metrics import Labels, Metrics
from cabstand.api.model import Model
from cabstand.errors import AbsentError, CabstandError, DataError, StorageError
from cabstand.io import storage
from cabstand.modelling import catalog
from cabstand.modelling.bundle import MANIFEST, parse_manifest
from cabstand.modelling.pointer import POINTER, Pointer, parse_pointer
from cabstand.modelling.problem import Problem

logger = logging.getLogger(__name__)

RETRY_S = 5.0
MAX_JSON_BYTES = 16 << 20  # of a pointer or manifest
POINTER_GONE = "its pointer is gone"
BUNDLE_REFUSED = "its pointer or bundle was refused"
STORE_UNREAD = "its store could not be read"
REFUSED = "cabstand_bundle_refused_total"
UNREAD = "cabstand_store_unread_total"
PREDICTED = "cabstand_predictions_total"
HOTSPOTS = "hotspots"  # the problem of answers from a bundle's hotspots


def labels_of(problem: str, version: str, role: str) -> Labels:
    """Return the labels of a bundle in metrics."""
    return ("problem", problem), ("version", version), ("role", role)


@dataclass(frozen=True)
class Served:
    """What serves one problem: a pointer and its loaded bundles. Never changed, only replaced."""

    problem: Problem
    pointer: Pointer
    tag: str
    champion: Model
    challenger: Model | None = None

    def series(self) -> list[Labels]:
        """Return the labels of its predictions."""
        found = [(self.problem.name, self.champion.version, "champion")]
        if self.challenger is not None:
            found.append((self.problem.name, self.challenger.version, "challenger"))
        if self.champion.hotspots is not None:
            found.append((HOTSPOTS, self.champion.version, "champion"))
        return [labels_of(*one) for one in found]

    def choose(self, request_key: bytes) -> tuple[Model, str]:
        """Return the model for a request, and its role; one key gets the same model as long as the pointer stays."""
        if self.challenger is not None:
            fraction = int.from_bytes(hashlib.blake2b(request_key, digest_size=8).digest(), "big") / 2**64
            if fraction < self.pointer.share:
                return self.challenger, "challenger"
        return self.champion, "champion"


class ModelStore:
    """The models in force: `served`, by problem, is replaced and never changed.

    So is `faults`: why a problem's last refresh failed; what it served before that, it serves still.

    `artifacts` is the URI of the store of bundles and pointers. `problems` are names or files; none stands for every
    problem that has a pointer. `refresh_s` is the shortest time between two refreshes.
    """

    def __init__(self, artifacts: str, problems: Sequence[str], refresh_s: float, metrics: Metrics) -> None:
        self.served: dict[str, Served] = {}
        self.faults: dict[str, str] = {}
        self._artifacts = artifacts
        self._problems = tuple(problems)
        self._refresh_s = refresh_s
        self._metrics = metrics
        self._refreshed_at = float("-inf")
        self._complete = False  # whether the first refresh has ended
        self._lacking = False  # whether a problem that should be served is not
        self._refreshing = threading.Lock()
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        metrics.declare(REFUSED, "counter", "Bundles or pointers that were refused while the old one served on.")
        metrics.declare(UNREAD, "counter", "Looks at a store of bundles that could not be read.")
        metrics.declare(PREDICTED, "counter", "Predicted rows by problem, version and role.")
        metrics.gauge("cabstand_bundle_age_seconds", "Age of the champion's bundle.", self.ages)
        metrics.gauge("cabstand_bundle_info", "1 for each bundle in force, by version and role.", self._versions)

    def find(self, problem: str) -> Served:
        """Return what serves a problem; a 404 if nothing does, a 503 while nothing is loaded."""
        served = self.served.get(problem)
        if served is None:
            self.require_ready()
            raise ApiError(404, "no-such-problem", "known problems are listed at /v1/models")
        return served

    def require_ready(self) -> None:
        """Raise a 503 while no bundle is loaded, or the first refresh has not ended."""
        if not (self.served and self._complete):
            raise ApiError(503, "not-ready", "no model is loaded yet", headers={"retry-after": "5"})

    def start(self) -> None:
        """Refresh from a thread of this process, now and whenever a refresh is due."""
        threading.Thread(target=self._run, name="bundles", daemon=True).start()

    def due(self) -> bool:
        """Return whether the last refresh is too old: sooner if something is missing."""
        wait_s = min(RETRY_S, self._refresh_s) if self._lacking else self._refresh_s
        return abs(time.time() - self._refreshed_at) >= wait_s  # wall time: a frozen function must notice

    def tick(self) -> None:
        """Wake the thread if a refresh is due: called with each request, so it must cost nothing."""
        if self.due():
            self._idle.clear()
            self._wanted.set()

    def catch_up(self, seconds: float) -> None:
        """Wait up to `seconds` for a refresh that is due or under way: threads of a frozen function stand still."""
        self.tick()
        self._idle.wait(seconds)

    def refresh(self) -> None:
        """Read every pointer and load what is new; what is wrong is logged, counted and left out."""
        with self._refreshing:
            self._refreshed_at = time.time()
            try:
                specs = self._specs()
                if not (specs or self._lacking):  # said once
                    logger.warning("no pointer below %s, so nothing is served", self._artifacts)
                lacking = [spec for spec in specs if not self._follow(spec)]
                self._lacking = bool(lacking) or not self.served
            except (CabstandError, OSError) as error:
                self._lacking = not self.served
                for name in self.served:
                    self._fault(name, STORE_UNREAD)
                self._unread(error)
            finally:
                self._complete = True
                self._idle.set()

    def ages(self) -> dict[Labels, float]:
        """Return the seconds since each champion's bundle was made."""
        now = time.time()
        return {
            (("problem", name),): max(0.0, now - one.champion.made_at.timestamp()) for name, one in self.served.items()
        }

    def _versions(self) -> dict[Labels, float]:
        return {
            labels_of(name, model.version, role): 1.0
            for name, one in self.served.items()
            for role, model in (("champion", one.champion), ("challenger", one.challenger))
            if model is not None
        }

    def _run(self) -> None:
        while True:
            self.refresh()
            while not self._wanted.wait(1.0):
                self.tick()
            self._wanted.clear()

    def _specs(self) -> Sequence[str]:
        if self._problems:
            return self._problems
        depth = len(storage.join(self._artifacts, "x").split("/"))
        found = [uri.split("/") for uri in storage.list_under(self._artifacts) if uri.endswith(f"/{POINTER}")]
        listed = [parts[-2] for parts in found if len(parts) == depth + 1]
        return sorted({*listed, *self.served})  # a served problem whose pointer was deleted is missed, not forgotten

    def _follow(self, spec: str) -> bool:
        """Load what a problem's pointer names, if that is new and valid; return whether the problem is served."""
        name = spec
        try:
            problem = catalog.find(spec)
            name = problem.name
            self._metrics.start(REFUSED, [(("problem", name),)])
            before = self.served.get(name)
            uri = storage.join(self._artifacts, name, POINTER)
            found = storage.read_changed(uri, before.tag if before else None, MAX_JSON_BYTES)
            if found is not None:
                after = self._load(problem, parse_pointer(found[0], uri), found[1], before)
                self.served = self.served | {name: after}
                self._metrics.start(PREDICTED, after.series())
                logger.info("serving %s: champion %s", name, after.champion.version)
            self._fault(name, "")
        except AbsentError as error:  # the pointer, or what it names
            self._refuse(name, error, POINTER_GONE if str(error.where).endswith(f"/{POINTER}") else BUNDLE_REFUSED)
        except StorageError as error:
            self._fault(name, STORE_UNREAD)
            self._unread(error)
        except Exception as error:  # whatever a bundle provokes, this thread must go on
            self._refuse(name, error, BUNDLE_REFUSED)
        return name in self.served

    def _fault(self, name: str, why: str) -> None:
        others = {known: reason for known, reason in self.faults.items() if known != name}
        self.faults = others | {name: why} if why else others

    def _unread(self, error: Exception) -> None:
        self._metrics.add(UNREAD)
        logger.warning("store of bundles not read: %s", error)

    def _refuse(self, name: str, error: Exception, why: str) -> None:
        self._fault(name, why)
        reason = error if isinstance(error, CabstandError) else type(error).__name__
        self._metrics.add(REFUSED, (("problem", name),))
        outcome = "the old one serves on" if name in self.served else "nothing serves"
        logger.warning("%s: %s, %s: %s", name, why, outcome, reason, extra={"problem": name})

    def _load(self, problem: Problem, pointer: Pointer, tag: str, before: Served | None) -> Served:
        if pointer.problem != problem.name:
            raise DataError(f"a pointer of {pointer.problem}", where=problem.name)
        loaded = {one.version: one for one in (before.champion, before.challenger) if one} if before else {}

        def model(version: str) -> Model:
            return loaded.get(version) or self._open(problem, version)

        challenger = model(pointer.challenger) if pointer.challenger and pointer.share > 0 else None
        return Served(problem, pointer, tag, model(pointer.champion), challenger)

    def _open(self, problem: Problem, version: str) -> Model:
        base = storage.join(self._artifacts, problem.name, "bundles", version)
        uri = storage.join(base, MANIFEST)
        manifest = parse_manifest(storage.read(uri, MAX_JSON_BYTES), uri)
        if manifest.version != version:
            raise DataError(f"is the manifest of {manifest.problem} {manifest.version}", where=uri)
        return Model(problem, manifest, lambda name: storage.read(storage.join(base, name), manifest.files[name].size))

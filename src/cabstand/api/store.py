"""The bundles that serve: read from the store, checked again in the background, replaced whole.

A pointer is requested with the tag of the one in force, so an unchanged pointer costs nothing. A new bundle is proved
in another process and loaded beside the old one, which serves on until the new one is ready, or for good if that is
refused. A process in which nothing serves yet falls back to the previous champion.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial

from cabstand.api import memory
from cabstand.api.errors import ApiError
from cabstand.api.metrics import Labels, Metrics
from cabstand.api.model import Model
from cabstand.api.served import CHALLENGER, CHAMPION, Served, is_outage, labels_of, load
from cabstand.errors import AbsentError, CabstandError
from cabstand.io import storage
from cabstand.io.proving import bundles
from cabstand.modelling import catalog
from cabstand.modelling.pointer import POINTER, parse_pointer
from cabstand.modelling.problem import Problem

logger = logging.getLogger(__name__)

RETRY_S = 5.0
MOST_WAIT_S = 1.0  # of all requests together for one refresh: in an outage it takes long and brings nothing
MAX_POINTER_BYTES = 1 << 20
POINTER_GONE = "its pointer is gone"
BUNDLE_REFUSED = "its pointer or bundle was refused"
STORE_UNREAD = "its store could not be read"
REFUSED = "cabstand_bundle_refused_total"
UNREAD = "cabstand_store_unread_total"
PREDICTED = "cabstand_predictions_total"
FALLBACK = "cabstand_bundle_fallback"
MEMORY_MIB = 192


class ModelStore:
    """The models in force: `served`, by problem, is replaced and never changed.

    So is `faults`: why a problem's last refresh failed; what it served before that, it serves still.

    `artifacts` is the URI of the store of bundles and pointers. `problems` are names or files; none stands for every
    problem that has a pointer. `refresh_s` is the shortest time between two refreshes, and `memory_mib` is what a
    bundle may take while it is proved.
    """

    def __init__(
        self,
        artifacts: str,
        problems: Sequence[str],
        refresh_s: float,
        metrics: Metrics,
        memory_mib: int = MEMORY_MIB,
    ) -> None:
        self.served: dict[str, Served] = {}
        self.faults: dict[str, str] = {}
        self._artifacts = artifacts
        self._problems = tuple(problems)
        self._refresh_s = refresh_s
        self._memory_mib = memory_mib
        self._metrics = metrics
        self._refreshed_at = float("-inf")
        self._waited_s = 0.0  # by requests, for the refresh that is due or under way
        self._complete = False  # whether the first refresh has ended
        self._replaced = False  # whether a bundle has been replaced since memory was given back
        self._lacking = False  # whether a problem that should be served is not
        self._refreshing = threading.Lock()
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        metrics.declare(REFUSED, "counter", "Bundles or pointers that were refused while the old one served on.")
        metrics.declare(UNREAD, "counter", "Looks at a store of bundles that could not be read.")
        metrics.declare(PREDICTED, "counter", "Predicted rows by problem, version and role.")
        metrics.gauge(FALLBACK, "1 if the bundle of a role was refused and another answers for it.", self.fallbacks)
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
        """Raise a 503, with the faults there are, while no bundle is loaded or the first refresh has not ended."""
        if not (self.served and self._complete):
            faults = [{"problem": name, "detail": why} for name, why in sorted(self.faults.items())]
            detail, after = "no model is loaded yet", {"retry-after": "5"}
            raise ApiError(503, "not-ready", detail, errors=faults or None, headers=after)

    def start(self) -> None:
        """Refresh from a thread of this process, now and whenever a refresh is due."""
        memory.share_heap()
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
        """Wait up to `seconds` for a refresh that is due or under way: threads of a frozen function stand still.

        For one refresh, requests wait `MOST_WAIT_S` in all.
        """
        self.tick()
        seconds = min(seconds, MOST_WAIT_S - self._waited_s)
        if seconds > 0:
            began = time.monotonic()
            self._idle.wait(seconds)
            self._waited_s += time.monotonic() - began

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
                if self._replaced:
                    memory.give_back()
                    self._replaced = False
            except (CabstandError, OSError) as error:
                self._lacking = not self.served
                for name in self.served:
                    self._fault(name, STORE_UNREAD)
                self._unread(error)
            finally:
                self._complete = True
                self._waited_s = 0.0
                self._idle.set()

    def ages(self) -> dict[Labels, float]:
        """Return the seconds since each champion's bundle was made."""
        now = time.time()
        return {
            (("problem", name),): max(0.0, now - one.champion.made_at.timestamp()) for name, one in self.served.items()
        }

    def fallbacks(self) -> dict[Labels, float]:
        """Return for each problem and role 1 if its bundle was refused and another answers for it, else 0."""
        return {
            (("problem", name), ("role", role)): float(role in one.refused)
            for name, one in self.served.items()
            for role in (CHAMPION, CHALLENGER)
        }

    def _versions(self) -> dict[Labels, float]:
        return {
            labels_of(name, model.version, role): 1.0
            for name, one in self.served.items()
            for role, model in ((CHAMPION, one.champion), (CHALLENGER, one.challenger))
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
            self._look(problem)
        except AbsentError as error:  # the pointer, or what it names
            self._refuse(name, error, POINTER_GONE if str(error.where).endswith(f"/{POINTER}") else BUNDLE_REFUSED)
        except Exception as error:  # whatever a bundle provokes, this thread must go on
            if is_outage(error):
                self._fault(name, STORE_UNREAD)
                self._unread(error)
            else:
                self._refuse(name, error, BUNDLE_REFUSED)
        return name in self.served

    def _look(self, problem: Problem) -> None:
        name, before = problem.name, self.served.get(problem.name)
        uri = storage.join(self._artifacts, name, POINTER)
        found = storage.read_changed(uri, before.tag or None if before else None, MAX_POINTER_BYTES)
        if found is not None:
            pointer = parse_pointer(found[0], uri)
            opened, refused = partial(self._open, problem), partial(self._left_out, name)
            after = load(problem, pointer, found[1], before, opened, refused)
            self.served = self.served | {name: after}
            self._metrics.start(PREDICTED, after.series())
            self._replaced |= before is not None
            if before is None or before.pointer != pointer:
                logger.info("serving %s: champion %s", name, after.champion.version)
        self._fault(name, self.served[name].fault())

    def _fault(self, name: str, why: str) -> None:
        others = {known: reason for known, reason in self.faults.items() if known != name}
        self.faults = others | {name: why} if why else others

    def _unread(self, error: Exception) -> None:
        self._metrics.add(UNREAD)
        logger.warning("store of bundles not read: %s", error)

    def _refuse(self, name: str, error: Exception, why: str) -> None:
        served = self.served.get(name)
        self._fault(name, (served.fault() if served and why == BUNDLE_REFUSED else "") or why)
        self._count(name, error, f"{why}, {'the old one serves on' if served else 'nothing serves'}")

    def _left_out(self, name: str, role: str, version: str, error: Exception) -> None:
        self._count(name, error, f"its {role} {version} was refused and is left out")

    def _count(self, name: str, error: Exception, what: str) -> None:
        reason = error if isinstance(error, CabstandError) else type(error).__name__
        self._metrics.add(REFUSED, (("problem", name),))
        logger.warning("%s: %s: %s", name, what, reason, extra={"problem": name})

    def _open(self, problem: Problem, version: str) -> Model:
        manifest, files = bundles.read(self._artifacts, problem, version, self._memory_mib)
        return Model(problem, manifest, files)

"""Which bundles serve: read from the store, looked at again in the background, swapped whole.

A pointer is asked for with the tag of the one in force, so that "unchanged" costs nothing. A new bundle is loaded and
tried beside the old one, which serves on until the new one is in place, or for good if that is refused.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

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
MAX_JSON_BYTES = 16 << 20  # of a pointer or a manifest
REFUSED = "cabstand_bundle_refused_total"
UNREAD = "cabstand_store_unread_total"


@dataclass(frozen=True)
class Served:
    """What serves one problem: a pointer and its loaded bundles. Never changed, only replaced."""

    problem: Problem
    pointer: Pointer
    tag: str
    champion: Model
    challenger: Model | None = None

    def choose(self, request_key: bytes) -> tuple[Model, str]:
        """Return the model for a request, and its role; the same key gets the same model while the pointer stands."""
        if self.challenger is not None:
            place = int.from_bytes(hashlib.blake2b(request_key, digest_size=8).digest(), "big") / 2**64
            if place < self.pointer.share:
                return self.challenger, "challenger"
        return self.champion, "champion"


@dataclass
class _State:
    served: dict[str, Served] = field(default_factory=dict)
    looked_at: float = float("-inf")
    lacking: bool = False
    looked: bool = False


class ModelStore:
    """The models in force.

    Parameters
    ----------
    artifacts : str
        URI of the store of bundles and pointers.
    problems : sequence of str
        Names or files of the problems served; none is every one that has a pointer.
    refresh_s : float
        Least seconds between two looks.
    metrics : Metrics
        Counts refused bundles, and looks at which the store did not answer.
    """

    def __init__(self, artifacts: str, problems: Sequence[str], refresh_s: float, metrics: Metrics) -> None:
        self._artifacts = artifacts
        self._problems = tuple(problems)
        self._refresh_s = refresh_s
        self._metrics = metrics
        self._state = _State()
        self._one_at_a_time = threading.Lock()
        self._wanted = threading.Event()
        self._settled = threading.Event()
        self._settled.set()
        metrics.declare(REFUSED, "counter", "Bundles or pointers that were refused while the old one served on.")
        metrics.declare(UNREAD, "counter", "Looks at a store of bundles that could not be read.")
        metrics.gauge("cabstand_bundle_age_seconds", "Age of the champion's bundle.", self.ages)
        metrics.gauge("cabstand_bundle_info", "1 for each bundle in force, by version and role.", self._versions)

    @property
    def served(self) -> dict[str, Served]:
        """What serves now, by problem."""
        return self._state.served

    def find(self, problem: str) -> Served:
        """Return what serves a problem.

        Raises
        ------
        ApiError
            404 for a problem that is not served, 503 while nothing is loaded.
        """
        served = self._state.served.get(problem)
        if served is not None:
            return served
        self.require_ready()
        raise ApiError(404, "no-such-problem", "known problems are listed at /v1/models")

    def require_ready(self) -> None:
        """Raise a 503 while no bundle is loaded, or the first look at all of them is not over."""
        if not (self._state.served and self._state.looked):
            raise ApiError(503, "not-ready", "no model is loaded yet", headers={"retry-after": "5"})

    def start(self) -> None:
        """Look for changes from a thread of this process, whenever `tick` finds it time."""
        threading.Thread(target=self._run, name="bundles", daemon=True).start()

    def tick(self) -> None:
        """Ask for a look if the last one is old enough: called with each request, and it costs nothing."""
        wait = min(RETRY_S, self._refresh_s) if self._state.lacking else self._refresh_s
        if abs(time.time() - self._state.looked_at) >= wait:  # wall time: a frozen function must notice
            self._settled.clear()
            self._wanted.set()

    def spare(self, seconds: float) -> None:
        """Let a look that is due or under way have up to `seconds`: threads of a frozen function stand still."""
        self.tick()
        if not self._settled.is_set():
            self._settled.wait(seconds)

    def refresh(self) -> None:
        """Look at every pointer and load what is new; what is wrong is logged, counted and left out."""
        with self._one_at_a_time:
            self._state.looked_at = time.time()
            try:
                # What serves waits for the next look; what does not is tried again sooner.
                lacking = [spec for spec in self._specs() if not self._follow(spec)]
                self._state.lacking = bool(lacking) or not self._state.served
            except (CabstandError, OSError) as error:
                self._state.lacking = not self._state.served
                self._unread(error)
            finally:
                self._state.looked = True
                self._settled.set()

    def ages(self) -> dict[Labels, float]:
        """Return the seconds since each champion's bundle was made."""
        found: dict[Labels, float] = {}
        for name, one in self._state.served.items():
            found[(("problem", name),)] = max(0.0, time.time() - one.champion.made_at.timestamp())
        return found

    def _versions(self) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for name, one in self._state.served.items():
            for role, model in (("champion", one.champion), ("challenger", one.challenger)):
                if model is not None:
                    found[(("problem", name), ("version", model.version), ("role", role))] = 1.0
        return found

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
        return [parts[-2] for parts in found if len(parts) == depth + 1]

    def _follow(self, spec: str) -> bool:
        """Load what a problem's pointer names, if that is new and right; return whether the problem is served."""
        name = spec
        try:
            problem = catalog.find(spec)
            name = problem.name
            before = self._state.served.get(name)
            uri = storage.join(self._artifacts, name, POINTER)
            found = storage.read_changed(uri, before.tag if before else None, MAX_JSON_BYTES)
            if found is not None:
                after = self._load(problem, parse_pointer(found[0], uri), found[1], before)
                self._state.served = self._state.served | {name: after}
                logger.info("serving %s: champion %s", name, after.champion.version)
        except AbsentError as error:  # named by a pointer, and not there
            self._refuse(name, error)
        except StorageError as error:
            self._unread(error)
        except Exception as error:  # whatever a bundle provokes, this thread must look again
            self._refuse(name, error)
        return name in self._state.served

    def _unread(self, error: Exception) -> None:
        self._metrics.add(UNREAD)
        logger.warning("store of bundles not read: %s", error)

    def _refuse(self, name: str, error: Exception) -> None:
        told = error if isinstance(error, CabstandError) else type(error).__name__
        self._metrics.add(REFUSED, (("problem", name),))
        logger.warning("refused, the old one serves on: %s", told, extra={"problem": name})

    def _load(self, problem: Problem, pointer: Pointer, tag: str, before: Served | None) -> Served:
        if pointer.problem != problem.name:
            raise DataError(f"a pointer of {pointer.problem}", where=problem.name)
        ready = {one.version: one for one in (before.champion, before.challenger) if one} if before else {}

        def model(version: str) -> Model:
            return ready.get(version) or self._open(problem, version)

        challenger = model(pointer.challenger) if pointer.challenger and pointer.share > 0 else None
        return Served(problem, pointer, tag, model(pointer.champion), challenger)

    def _open(self, problem: Problem, version: str) -> Model:
        base = storage.join(self._artifacts, problem.name, "bundles", version)
        uri = storage.join(base, MANIFEST)
        manifest = parse_manifest(storage.read(uri, MAX_JSON_BYTES), uri)
        if manifest.version != version:
            raise DataError(f"is the manifest of {manifest.problem} {manifest.version}", where=uri)
        return Model(problem, manifest, lambda name: storage.read(storage.join(base, name), manifest.files[name].size))

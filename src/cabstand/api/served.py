"""What serves one problem, and how it is loaded from a pointer: with the bundle before it where its own is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cabstand.api.metrics import Labels
from cabstand.api.model import Model
from cabstand.errors import AbsentError, DataError, StorageError
from cabstand.modelling.pointer import Pointer
from cabstand.modelling.problem import Problem

HOTSPOTS = "hotspots"  # the problem of answers from a bundle's hotspots
CHAMPION, CHALLENGER = "champion", "challenger"


def labels_of(problem: str, version: str, role: str) -> Labels:
    """Return the labels of a bundle in metrics."""
    return ("problem", problem), ("version", version), ("role", role)


@dataclass(frozen=True)
class Served:
    """What serves one problem: a pointer and its loaded bundles. Never changed, only replaced."""

    problem: Problem
    pointer: Pointer
    tag: str  # of the pointer; empty if it must be read again, as something of it was refused
    champion: Model  # the one before it, if it was refused
    challenger: Model | None = None
    refused: tuple[str, ...] = ()  # the roles whose bundle was refused

    def series(self) -> list[Labels]:
        """Return the labels of its predictions."""
        found = [(self.problem.name, self.champion.version, CHAMPION)]
        if self.challenger is not None:
            found.append((self.problem.name, self.challenger.version, CHALLENGER))
        if self.champion.hotspots is not None:
            found.append((HOTSPOTS, self.champion.version, CHAMPION))
        return [labels_of(*one) for one in found]

    def choose(self, request_key: bytes) -> tuple[Model, str]:
        """Return the model for a request, and its role; one key gets the same model as long as the pointer stays."""
        if self.challenger is not None:
            fraction = int.from_bytes(hashlib.blake2b(request_key, digest_size=8).digest(), "big") / 2**64
            if fraction < self.pointer.share:
                return self.challenger, CHALLENGER
        return self.champion, CHAMPION

    def fault(self) -> str:
        """Return what is said of bundles that were refused; nothing if there are none."""
        parts = []
        if CHAMPION in self.refused:
            parts.append("its champion was refused, the one before serves")
        if CHALLENGER in self.refused:
            parts.append("its challenger was refused, the champion serves alone")
        return "; ".join(parts)


def load(
    problem: Problem,
    pointer: Pointer,
    tag: str,
    before: Served | None,
    open_bundle: Callable[[str], Model],
    refuse: Callable[[str, str, Exception], None],
) -> Served:
    """Return what a pointer names; `refuse` is called with role, version and error of a bundle that is left out.

    A challenger that is refused leaves the champion alone. For a champion that is refused the previous one serves, if
    nothing serves yet. Otherwise the error is raised, and what served before serves on; so it does if the store fails.
    """
    if pointer.problem != problem.name:
        raise DataError(f"a pointer of {pointer.problem}", where=problem.name)
    known = {one.version: one for one in (before.champion, before.challenger) if one} if before else {}
    refused: list[str] = []

    def get(version: str) -> Model:
        return known.get(version) or open_bundle(version)

    try:
        champion = get(pointer.champion)
    except Exception as error:
        if is_outage(error) or before is not None or pointer.previous is None:
            raise
        refuse(CHAMPION, pointer.champion, error)
        refused.append(CHAMPION)
        champion = get(pointer.previous)
    challenger = None
    if pointer.challenger and pointer.share > 0:
        try:
            challenger = get(pointer.challenger)
        except Exception as error:  # whatever a bundle provokes
            if is_outage(error):
                raise
            refuse(CHALLENGER, pointer.challenger, error)
            refused.append(CHALLENGER)
    return Served(problem, pointer, "" if refused else tag, champion, challenger, tuple(refused))


def is_outage(error: Exception) -> bool:
    """Return whether the store failed, rather than what is in it."""
    return isinstance(error, StorageError) and not isinstance(error, AbsentError)

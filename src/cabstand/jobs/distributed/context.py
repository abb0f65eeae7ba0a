"""What all tasks of a distributed clustering know, and how the driver gives them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand.clustering.blockwise import Density
from cabstand.io import storage
from cabstand.io.dask import workers
from cabstand.io.dask.chunks import Chunk
from cabstand.io.usage import peak_rss_mb


@dataclass(frozen=True)
class Work:
    """What all tasks of a run know.

    Attributes
    ----------
    folder : str
        URI of the work files.
    chunks : tuple of Chunk
        The input.
    density : Density
        What makes a cluster.
    """

    folder: str
    chunks: tuple[Chunk, ...]
    density: Density

    def uri(self, kind: str, number: int) -> str:
        """Return where a work file stands."""
        return storage.join(self.folder, f"{kind}-{number:05d}.arrow")


@dataclass
class Crew:
    """The workers of a run, and the most memory that one of them ever held, in MiB."""

    client: Any
    peak_rss_mb: float = 0.0

    def each(self, phase: str, work: Callable[..., Any], given: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Do the work for each tuple of arguments and return the results in that order; see `workers.each`."""
        told = workers.each(self.client, phase, _watched, [(work, *arguments) for arguments in given])
        self.peak_rss_mb = max([self.peak_rss_mb, *(peak for _, peak in told)])
        return [result for result, _ in told]


def _watched(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    return work(*arguments), peak_rss_mb()

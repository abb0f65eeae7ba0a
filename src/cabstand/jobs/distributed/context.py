"""What all tasks of a distributed clustering share."""

from __future__ import annotations

from dataclasses import dataclass

from cabstand.clustering.blockwise import Density
from cabstand.io import storage
from cabstand.io.dask.chunks import Chunk


@dataclass(frozen=True)
class Context:
    """What all tasks of a run share.

    Attributes
    ----------
    folder : str
        URI of the work files.
    chunks : tuple of Chunk
        The input.
    density : Density
        The parameters of DBSCAN.
    """

    folder: str
    chunks: tuple[Chunk, ...]
    density: Density

    def uri(self, kind: str, number: int) -> str:
        """Return the URI of a work file."""
        return storage.join(self.folder, f"{kind}-{number:05d}.arrow")

"""What all tasks of a distributed clustering are given."""

from __future__ import annotations

from dataclasses import dataclass

from cabstand.clustering.blockwise import Density
from cabstand.clustering.marks import Marks, marks
from cabstand.io import storage
from cabstand.io.dask.chunks import Chunk


@dataclass(frozen=True)
class Context:
    """What all tasks of a run share."""

    folder: str  # URI of the work files
    chunks: tuple[Chunk, ...]  # the input
    density: Density

    @property
    def marks(self) -> Marks:
        """What the run's files must say of its points."""
        return marks(synthetic=any(chunk.synthetic for chunk in self.chunks))

    def uri(self, kind: str, number: int) -> str:
        """Return the URI of a work file."""
        return storage.join(self.folder, f"{kind}-{number:05d}.arrow")

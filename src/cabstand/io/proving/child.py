"""`python -m cabstand.io.proving.child SPEC VERSION MEMORY_MIB`: try one bundle and say what came of it.

It asks for each file on stdout, gets it on stdin, and reads nothing else.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import IO

import numpy as np

from cabstand.clustering.core_index import CoreIndex
from cabstand.errors import CabstandError, DataError
from cabstand.io.proving import messages
from cabstand.modelling import catalog, proof
from cabstand.modelling.bundle import ASSETS, HOTSPOTS, MANIFEST, MODEL, Manifest, check_file, parse_manifest
from cabstand.modelling.predictor import BATCH_ROWS
from cabstand.modelling.problem import Problem

MORE = "CABSTAND_API_BUNDLE_MEMORY_MIB allows more"
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate")


def main() -> int:
    """Try a bundle; the last line says `proved` or `refused` with the reason."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    problem, version, memory_mib = catalog.find(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    import onnxruntime  # noqa: F401  (before the limit, which is for the bundle alone)

    _limit(memory_mib)
    trial = _Trial(sys.stdin.buffer, answers, memory_mib << 20)
    try:
        trial.run(problem, version)
    except Exception as error:  # whatever NumPy or ONNX Runtime raise, the bundle is at fault
        reason = _reason(error, memory_mib)
    else:
        reason = ""
    messages.say(answers, refused=reason[:500], proved=not reason)
    return 0


def _limit(memory_mib: int) -> None:
    """Limit this process to so much memory more than it has, to some CPU time that others spare, and to no files."""
    os.nice(10)
    size = Path("/proc/self/status")
    if size.is_file():
        held = next(int(line.split()[1]) for line in size.read_text().splitlines() if line.startswith("VmData:"))
        most = (held << 10) + (memory_mib << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")  # should the machine run out of memory, end this first
    resource.setrlimit(resource.RLIMIT_CPU, (messages.CPU_S, messages.CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


class _Trial:
    def __init__(self, given: IO[bytes], asked: IO[bytes], memory: int) -> None:
        self._given = given
        self._asked = asked
        self._memory = memory

    def run(self, problem: Problem, version: str) -> None:
        """Raise whatever is wrong with the bundle."""
        manifest = parse_manifest(self._read(MANIFEST, 0))
        if (manifest.problem, manifest.version) != (problem.name, version):
            raise DataError(f"is the manifest of {manifest.problem[:70]} {manifest.version}", where=version)
        proof.check_declared(problem, manifest)
        wanted = [one for one in (MODEL, ASSETS, HOTSPOTS) if one in manifest.files]
        # Each file is held twice at least, as its bytes and as what is made of them.
        if sum(manifest.files[one].size for one in wanted) > self._memory // 2:
            raise DataError(f"its files are larger than {self._memory >> 21} MiB", where=version, hint=MORE)
        if HOTSPOTS in wanted:
            self._try_hotspots(manifest)
        files = {one: self._file(manifest, one) for one in wanted if one != HOTSPOTS}
        proof.try_rows(problem, manifest, proof.load(problem, manifest, files))

    def _try_hotspots(self, manifest: Manifest) -> None:
        with proof.Stopwatch("to load its hotspots"):
            index = CoreIndex.load(self._file(manifest, HOTSPOTS), max_bytes=self._memory)
        rng = np.random.default_rng(0)
        points = rng.uniform((-90, -180), (90, 180), (BATCH_ROWS, 2))
        if len(index):
            near = index.points[rng.integers(0, len(index), BATCH_ROWS // 2)]
            points[: len(near)] = near + rng.normal(0, index.eps_m / 111_195, near.shape)
        with proof.Stopwatch(f"for the hotspots near {BATCH_ROWS:,} points"):
            index.query(points)

    def _file(self, manifest: Manifest, name: str) -> bytes:
        return check_file(manifest, name, self._read(name, manifest.files[name].size))

    def _read(self, name: str, size: int) -> bytes:
        messages.say(self._asked, read=name, size=size)
        return messages.take(self._given)


def _reason(error: Exception, memory_mib: int) -> str:
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(one in text for one in OUT_OF_MEMORY):
        return f"needs more than {memory_mib} MiB of memory ({MORE})"
    if isinstance(error, CabstandError):
        return str(error)
    return f"cannot be tried: {type(error).__name__}: {str(error)[:200]}"


if __name__ == "__main__":
    sys.exit(main())

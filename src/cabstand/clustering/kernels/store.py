"""Stores compiled kernels on disk, so that a machine compiles each of them once.

numba's own cache checks only whether the file of a function has changed, not those of the functions it calls; it
numbers its files, so that two processes which compile at once may take each other's; and it looks in one folder, which
must be writable. Here a file is named after all that its content depends on, carries a checksum, and is moved into
place when complete: a writer may be killed at any moment, and what cannot be read is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import uuid
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

HERE = Path(__file__).resolve().parent
DIGEST_BYTES = 32
ANY_PROCESSOR = ("generic", "")  # name and features, as of an image: what is compiled so serves where nothing better is


def stamp(sources: Path) -> str:
    """Digest of everything that all kernels depend on: their sources, the compiler, NumPy and Python."""
    parts = [file.read_bytes() for file in sorted(sources.glob("*.py"))]
    parts += [f"{name} {version(name)}".encode() for name in ("numba", "llvmlite", "numpy")]
    parts.append(sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


STAMP = stamp(HERE)  # computed when the sources are loaded: they may change while this process runs


def folders() -> list[Path]:
    """Return where compiled kernels may be, in the order of reading and writing.

    ``NUMBA_CACHE_DIR`` if it is set; beside the sources, where a read-only installation may already have them; and the
    user's cache folder.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    found = [Path(named) / "cabstand"] if named else []
    found.append(HERE / "__pycache__")
    with suppress(RuntimeError):  # there is no home directory
        found.append(home.expanduser() / "cabstand")
    return [folder / f"compiled-{STAMP}" for folder in found]


def read(name: str) -> Any:
    """Read what was written under a name; return None if it is missing or damaged."""
    for folder in folders():
        with suppress(OSError):
            content = (folder / name).read_bytes()
            digest, body = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
            if digest == hashlib.sha256(body).digest():
                return pickle.loads(body)  # noqa: S301 (the same folders that code is loaded from)
    return None


def write(name: str, value: Any) -> Path | None:
    """Write under a name in the first folder that is writable; return the folder, or None if there is none."""
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    for folder in folders():
        part = folder / f"{name}.{uuid.uuid4().hex[:12]}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(hashlib.sha256(body).digest() + body)
            part.replace(folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        else:
            return folder
    return None


@cache
def announce() -> None:
    """Say once, if stderr is a terminal, that kernels are being compiled: the first call seems to hang meanwhile."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("compiling the clustering kernels, once on this machine (about 7 s)\n")
        sys.stderr.flush()


class KernelCache(_Cache):
    """The compiled versions of one kernel, as numba asks for them."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The first folder, for numba's statistics."""
        return str(folders()[0])

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load a version for argument types, or None."""
        target_context.refresh()
        system, *processor = target_context.codegen().magic_tuple()
        names = [self._name(sig, (system, *found)) for found in (processor, ANY_PROCESSOR)] if self._enabled else []
        stored = next((found for name in names if (found := read(name)) is not None), None)
        if stored is None:
            announce()
            return None
        return CompileResult._rebuild(target_context, *stored)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled version, if that is possible."""
        if self._enabled and not data.library.has_dynamic_globals:
            write(self._name(sig, data.codegen.magic_tuple()), data._reduce())

    def enable(self) -> None:
        """Store and load from now on."""
        self._enabled = True

    def disable(self) -> None:
        """Neither store nor load from now on."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: a file is named after all that its content depends on."""

    def _name(self, sig: Any, target: tuple[Any, ...]) -> str:
        name = f"{self._function.__module__.rpartition('.')[2]}.{self._function.__qualname__}"
        key = repr((name, str(sig), target))
        return f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.bin"

"""Compiled kernels are kept on disk: once a machine, whatever happens to the files or to who writes them."""

from __future__ import annotations

import os
import platform
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cabstand.clustering.kernels import store
from compiling import FIT

ONLY = """
import os
from pathlib import Path
from cabstand.clustering.kernels import store
store.folders = lambda: [Path(folder) for folder in os.environ["ONLY"].split(os.pathsep)]
"""
LATE = """
import numpy as np
from cabstand.clustering import engines
for name, n_workers in (("sequential", 1), ("multicore", 2)):
    engines.named(name).warm_up(n_workers)
late, read = [], store.read
store.read = lambda name: late.append(name) or read(name)
rng = np.random.default_rng(1)
thin = rng.uniform((40.5, -74.3), (41.1, -73.6), (30_000, 2))
pole = np.c_[90 - np.abs(rng.normal(0, 1e-3, 20_000)), rng.uniform(-180, 180, 20_000)]
shapes = [
    (thin, 80.0, 8),
    (np.r_[thin, thin + (-70, 200)], 80.0, 8),
    (np.c_[np.full(30_000, 40.7), rng.uniform(-180, 180, 30_000)], 80.0, 8),
    (pole, 100.0, 5_000),
]
for points, eps_m, least in shapes:
    for name, n_workers in (("sequential", 1), ("multicore", 2), ("multicore", 3)):
        engines.named(name).run(points, eps_m, least, None, n_workers)
print(late)
"""
ALL = """
import importlib, pkgutil
from numba.core.dispatcher import Dispatcher
import cabstand.clustering.kernels as kernels
from cabstand.clustering.warm import warm
warm()
for module in pkgutil.iter_modules(kernels.__path__):
    home = importlib.import_module(f"{kernels.__name__}.{module.name}")
    for name, found in vars(home).items():
        if isinstance(found, Dispatcher) and found.__module__ == home.__name__ and not found.signatures:
            print(module.name, name)
"""

OTHERS = ("nehalem", "haswell") if platform.machine() == "x86_64" else ("cortex-a72", "neoverse-n1")
TWO_KERNELS = """
from cabstand.clustering.kernels.jit import kernel

def one(n):
    return n + 1

def two(n):
    return n + 2

kernel(one)(1)
kernel(two)(1)
"""


def python(code: str, *folders: Path, first: str = "") -> str:
    """Run code in a process of its own that looks for compiled kernels in these folders alone."""
    only = {"ONLY": os.pathsep.join(map(str, folders))}
    done = subprocess.run(
        [sys.executable, "-c", first + ONLY + code], capture_output=True, text=True, env=os.environ | only, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fit(*folders: Path) -> tuple[int, int]:
    """Cluster in a process of its own: a checksum of the labels, and how many functions it compiled."""
    answer, compiled = python(FIT, *folders).split()
    return int(answer), int(compiled)


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder in which one process has compiled, and the answer of that process."""
    folder = tmp_path_factory.mktemp("compiled")
    answer, compiled = fit(folder)
    assert compiled > 20
    return folder, answer


def test_a_terminal_is_told_once_that_kernels_compile(tmp_path: Path) -> None:
    code = ONLY + TWO_KERNELS
    environment = os.environ | {"ONLY": str(tmp_path)}
    terminal, stderr = pty.openpty()
    try:
        for said in (True, False):  # the second process finds them stored
            subprocess.run([sys.executable, "-c", code], check=True, env=environment, stderr=stderr)
            shown = os.read(terminal, 4096).decode() if select.select([terminal], [], [], 0)[0] else ""
            assert shown.count("compiling") == said
    finally:
        os.close(terminal)
        os.close(stderr)
    environment["ONLY"] = str(tmp_path / "new")
    piped = subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True)
    assert not piped.stderr


def test_a_second_process_compiles_nothing(warmed: tuple[Path, int]) -> None:
    folder, answer = warmed
    assert fit(folder) == (answer, 0)


def test_once_an_engine_is_warm_no_shape_makes_it_load_more() -> None:
    """What it loads later would count as the time of the clustering that is measured."""
    assert python(LATE, *store.folders()).strip() == "[]"


def test_broken_files_are_compiled_again_and_mended(warmed: tuple[Path, int]) -> None:
    folder, answer = warmed
    first, second, third = sorted(folder.glob("bounds.bounds-*.bin")) + sorted(folder.glob("[cl]*.bin"))[:2]
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    third.write_bytes(third.read_bytes()[:-1] + b"?")
    again, compiled = fit(folder)
    assert again == answer
    assert compiled >= 1
    assert fit(folder) == (answer, 0)


def test_what_is_compiled_for_any_processor_serves_every_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image that is built on one machine and run on others."""
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    answer, compiled = fit(tmp_path)
    assert compiled > 20
    monkeypatch.delenv("NUMBA_CPU_FEATURES")
    for name in (None, *OTHERS):
        monkeypatch.setenv("NUMBA_CPU_NAME", name) if name else monkeypatch.delenv("NUMBA_CPU_NAME")
        assert fit(tmp_path) == (answer, 0)


@pytest.mark.slow
def test_a_writer_may_be_killed_at_any_moment(warmed: tuple[Path, int], tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    for n_files in (1, 4, 9):
        writer = subprocess.Popen([sys.executable, "-c", ONLY + FIT], env=os.environ | {"ONLY": str(folder)})
        while writer.poll() is None and len(list(folder.glob("*.bin"))) < n_files:
            time.sleep(0.005)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    answer, compiled = fit(folder)
    assert (answer, compiled > 0) == (warmed[1], True)
    assert fit(folder) == (answer, 0)


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder that nobody can make, root included: its parent is a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "below"


def test_a_folder_that_cannot_be_written_is_passed_over(warmed: tuple[Path, int], unwritable: Path) -> None:
    folder, answer = warmed
    assert fit(unwritable, folder) == (answer, 0)


@pytest.mark.slow
def test_without_any_folder_every_process_compiles(warmed: tuple[Path, int], unwritable: Path) -> None:
    answer, compiled = fit(unwritable)
    assert (answer, compiled > 20) == (warmed[1], True)


def test_the_named_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(folder.is_relative_to(store.HERE) for folder in store.folders())
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert store.folders()[0].is_relative_to(tmp_path)


def test_what_is_written_is_read_back_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert store.read("absent") is None
    assert store.write("some", {"a": np.arange(3)}) == store.folders()[0]
    np.testing.assert_array_equal(store.read("some")["a"], np.arange(3))
    assert not list(tmp_path.rglob("*.part"))


def test_other_sources_are_another_cache(tmp_path: Path) -> None:
    for file in store.HERE.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert store.stamp(tmp_path) == store.STAMP
    with (tmp_path / "metric.py").open("a") as changed:
        changed.write("\n")
    assert store.stamp(tmp_path) != store.STAMP


@pytest.mark.slow
def test_warming_compiles_every_kernel(tmp_path: Path) -> None:
    assert python(ALL, tmp_path) == ""
    kinds = ("np.float64", "np.float32")
    for kind, weight in ((k, w) for k in kinds for w in ("None", "np.ones(3000)")):
        code = FIT.replace("fit_predict(points)", f"fit_predict(points.astype({kind}), sample_weight={weight})")
        assert python(code, tmp_path).split()[1] == "0"


@pytest.mark.slow
def test_a_release_of_numba_that_was_not_tried_compiles_in_its_own_way(
    warmed: tuple[Path, int], tmp_path: Path
) -> None:
    untried = "import numba, sys; numba.__version__ = '99.0.0'\n"
    told = "print('cabstand.clustering.kernels.compiler' in sys.modules)"
    answer, compiled, short_cuts = python(FIT + told, tmp_path, first=untried).split()
    assert (int(answer), short_cuts) == (warmed[1], "False")
    assert int(compiled) > 0

"""The packaged function with the real Lambda runtime client, under Lambda's emulator."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import lambda_package  # noqa: E402

from cabstand.local.functions import interpreters, runtime  # noqa: E402

USUAL = Path(__file__).parent / "lambda_function" / "usual_handler.py"
USUAL_NEEDS = ("scikit-learn", "scipy", "joblib", "cloudpickle", "threadpoolctl", "narwhals")
USUAL_NEEDS += ("pandas", "numpy", "python-dateutil", "six", "pytz", "tzdata")
WANTED = ("3.13", "3.12")


def choose_python() -> tuple[str, str]:
    """Return path and version of the Python that runs the function: Lambda's if it is installed."""
    for version in WANTED:
        if path := interpreters.find(version):
            return path, version
    return sys.executable, interpreters.running()


def build_tree(version: str) -> Path:
    """Build the function's zip and return its unzipped tree."""
    arch = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    tree = ROOT / "build" / f"lambda-test-{version}"
    command = [sys.executable, str(ROOT / "scripts" / "lambda_package.py"), "--arch", arch, "--python", version]
    subprocess.run([*command, "--tree", str(tree), "--out", f"{tree}.zip"], check=True, stdout=subprocess.DEVNULL)
    return tree


def install_runtime(version: str) -> Path:
    """Install the runtime client and the emulator outside the tree, as in Lambda; return their folder."""
    return runtime.install(version, ROOT / "build")


def usual_tree(python: str, version: str, tree: Path) -> Path:
    """Return a copy of the tree with pandas, scikit-learn and the usual service that is built on them.

    Compiled like ours; with all of NumPy, because SciPy imports parts that ours leaves out.
    """
    target = ROOT / "build" / f"lambda-usual-{version}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(tree, target, ignore=shutil.ignore_patterns("numpy*"))
    lock = target / "usual.txt"
    lock.write_text(_locked(USUAL_NEEDS))
    runtime.install_packages(target, version, "--no-deps", "--require-hashes", "-r", str(lock))
    shutil.copy(USUAL, target)
    lambda_package.compile_tree(target, python)
    return target


def _locked(names: tuple[str, ...]) -> str:
    """Return the lines of some packages, with hashes, from the development lock."""
    blocks = re.split(r"^(?=[a-z])", (ROOT / "requirements" / "dev.txt").read_text(), flags=re.MULTILINE)
    return "".join(block for block in blocks if block.partition("==")[0] in names)


@dataclass
class Function:
    """A running emulator; the function's process starts with the first event."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def invoke(self, event: Any) -> dict[str, Any]:
        """Send one event and return the function's answer."""
        return dict(json.loads(self.send(event)))

    def send(self, event: Any) -> bytes:
        """Send one event and return the raw answer."""
        body = json.dumps(event).encode()
        request = urllib.request.Request(self.url, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def timed(self, event: Any) -> float:
        """Return the seconds an event takes."""
        started = time.perf_counter()
        answer = self.invoke(event)
        assert answer.get("statusCode") == 200, answer
        return time.perf_counter() - started

    def pids(self) -> set[int]:
        """Return the ids of the function's processes."""
        return runtime.children(self.process.pid)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the function's processes for the duration of the block, as Lambda does between events."""
        stopped = self.pids()
        assert stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped & self.pids():
                os.kill(pid, signal.SIGCONT)

    def peak_mib(self) -> float:
        """Return the peak resident memory of the function's process."""
        peaks = [
            int(line.split()[1]) / 1024
            for pid in self.pids()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        ]
        return max(peaks)


@contextmanager
def running(
    python: str, tree: Path, runtime_folder: Path, log: Path, handler: str = "handler.handler", **env: str
) -> Iterator[Function]:
    """Run the emulator on a tree for the duration of the block."""
    fixed = {"HOME": str(log.parent), "AWS_LAMBDA_FUNCTION_NAME": "cabstand-test"}
    fixed |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_FUNCTION_TIMEOUT": "30"}
    with log.open("wb") as out:
        process, port = runtime.start(python, tree, runtime_folder, handler, fixed | env, out)
        try:
            yield Function(f"http://127.0.0.1:{port}{runtime.INVOKE}", process, log)
        finally:
            runtime.end(process)

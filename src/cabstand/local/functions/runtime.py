"""AWS's runtime client and its emulator: install them, start one, end it.

The emulator (`aws-lambda-rie`) serves one invocation at a time and starts the function's process with the first.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from cabstand.errors import ConfigError, TaskError

INVOKE = "/2015-03-31/functions/function/invocations"
LOCK = Path(__file__).resolve().parents[4] / "requirements" / "lambda-test.txt"
START_S, END_S = 10.0, 10.0


def install(version: str, folder: Path) -> Path:
    """Install the runtime client and the emulator for a Python version below a folder, once; return their folder."""
    if not LOCK.is_file():
        raise ConfigError("the lock of Lambda's runtime client is missing", where=LOCK, hint="run from a clone")
    target = folder / f"lambda-runtime-{version}"
    if (target / ".lock").is_file() and (target / ".lock").read_bytes() == LOCK.read_bytes():
        return target
    shutil.rmtree(target, ignore_errors=True)
    install_packages(target, version, "--no-deps", "--require-hashes", "-r", str(LOCK))
    emulator = target / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{platform.machine()}"
    if not emulator.is_file():
        emulator = emulator.with_name("aws-lambda-rie-arm64")
    emulator.chmod(0o755)
    emulator.rename(target / "aws-lambda-rie")
    (target / ".lock").write_bytes(LOCK.read_bytes())
    return target


def install_packages(target: Path, version: str, *what: str) -> None:
    """Install packages for a Python version into a folder, with uv where it is there."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    # Copies instead of links into uv's cache, because the files are compiled in place.
    tool = (
        [uv, "pip", "install", "--link-mode", "copy"] if uv else [sys.executable, "-m", "pip", "install", "--upgrade"]
    )
    common = ["--target", str(target), "--python-version", version, "--only-binary", ":all:", "--quiet"]
    try:
        subprocess.run([*tool, *common, *what], check=True)
    except subprocess.CalledProcessError as error:
        raise TaskError("Lambda's runtime client was not installed", where=target, hint="see pip's message") from error


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(
    python: str, tree: Path, runtime: Path, handler: str, variables: Mapping[str, str], out: IO[bytes] | int
) -> tuple[subprocess.Popen[bytes], int]:
    """Start an emulator for an unzipped function; return its process, once it listens, and its port.

    `variables` is the whole environment of the function but for what the runtime needs; `out` takes both outputs.
    """
    port, api_port = free_port(), free_port()
    command = [str(runtime / "aws-lambda-rie"), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    # -S: without this environment's site-packages.
    command += ["--runtime-api-address", f"127.0.0.1:{api_port}", python, "-S", "-m", "awslambdaric", handler]
    path = os.pathsep.join([str(tree), str(runtime)])
    fixed = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "LAMBDA_TASK_ROOT": str(tree)}
    fixed["PYTHONDONTWRITEBYTECODE"] = "1"
    process = subprocess.Popen(
        command, cwd=tree, env=fixed | dict(variables), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        _wait(port, process)
    except BaseException:
        end(process)
        raise
    return process, port


def children(pid: int) -> set[int]:
    """Return the ids of the function's processes below an emulator."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError):  # ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found |= {int(one) for one in (task / "children").read_text().split()}
    return found


def end(process: subprocess.Popen[bytes], patience_s: float = END_S) -> None:
    """End an emulator and its function."""
    below = children(process.pid)  # the function has a process group of its own
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise TaskError("Lambda's runtime emulator does not listen", where=f"port {port}")

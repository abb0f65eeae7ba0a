"""One execution environment: a runtime emulator with the function's process, for one invocation at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cabstand.local.functions import invocation, runtime
from cabstand.local.functions.deployed import Version
from cabstand.local.functions.invocation import Invocation
from cabstand.local.functions.wire import BROKEN, Wire

# Before the hour of its role's credentials is over.
OLDEST_S = 45 * 60
# The emulator's own messages, which Lambda does not write.
_OWN = re.compile(r"\d\d \w{3} \d{4} [\d:,]+ \[[A-Z]+\] \(rapid\)")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PID = "pid"
_MEMORY = re.compile(r"Max Memory Used: \d+ MB")


class Environment:
    """Runs one version of a function until it is stopped; `write` takes each line of its log."""

    def __init__(
        self, version: Version, command: tuple[str, Path, Path], variables: dict[str, str],
        folder: Path, write: Callable[[str], None],
    ) -> None:  # fmt: skip
        python, tree, installed = command
        self.version, self.key = version, version.key
        self.started_at = self.used_at = time.monotonic()
        self._limit_bytes = int(version.configuration["MemorySize"]) * 2**20
        self._peak_bytes, self._out_of_memory = 0, False
        self._folder, self._write = folder, write
        (folder / "tmp").mkdir(parents=True)
        settings = variables | {"HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        # A file, not a pipe: whoever read that would wake for every line, in the midst of a request.
        with (folder / "log").open("wb") as out:
            self._process, port = runtime.start(
                python, tree, installed, str(version.configuration["Handler"]), settings, out
            )
        self._log = (folder / "log").open("rb")
        self._reading = threading.Lock()
        (folder / PID).write_text(str(self._process.pid))
        # Lambda answers or times out by itself: the margin is for a machine under load.
        self._wire = Wire(port, float(version.configuration["Timeout"]) + 30)

    @property
    def has_ended(self) -> bool:
        """Whether it was stopped or gave up in an invocation."""
        return self._process.returncode is not None

    @property
    def is_usable(self) -> bool:
        """Whether another invocation may come here."""
        return self._process.poll() is None and time.monotonic() - self.started_at < OLDEST_S

    def invoke(self, payload: bytes, request_id: str) -> Invocation:
        """Run the function once."""
        try:
            found = invocation.read(self.version.number, *self._wire.exchange(payload, request_id), request_id)
        except BROKEN:
            found = self._lost(request_id)
        return self._finished(found, request_id)

    async def invoke_here(self, payload: bytes, request_id: str) -> Invocation:
        """Run the function once, on the running event loop."""
        try:
            answer = await self._wire.exchange_here(payload, request_id)
            found = invocation.read(self.version.number, *answer, request_id)
        except BROKEN:
            found = await asyncio.to_thread(self._lost, request_id)
        return self._finished(found, request_id)

    def watch_memory(self) -> None:
        """Kill the function if it holds more memory than its version may."""
        for pid in runtime.children(self._process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):
                held = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
                self._peak_bytes = max(self._peak_bytes, held)
                if held > self._limit_bytes:
                    self._out_of_memory = True
                    os.kill(pid, signal.SIGKILL)

    def stop(self, patience_s: float = runtime.END_S) -> None:
        """End the processes and delete the environment's folder."""
        runtime.end(self._process, patience_s)
        self._wire.close()
        self.read_log()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _lost(self, request_id: str) -> Invocation:
        """End what is left after the emulator went away in the midst of an invocation."""
        self.stop(patience_s=0.5)
        message = f"RequestId: {request_id} Error: the execution environment ended"
        return invocation.failure(self.version.number, "Runtime.ExitError", message)

    def _finished(self, found: Invocation, request_id: str) -> Invocation:
        self.used_at = time.monotonic()
        return self._explained(found, request_id) if found.error else found

    def _explained(self, found: Invocation, request_id: str) -> Invocation:
        self.read_log()
        if found.timed_out:
            self._write(found.error_message)
        if not self._out_of_memory:
            return found
        self._out_of_memory = False
        message = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
        self._write(f"{message} Runtime.OutOfMemory")
        return invocation.failure(found.version, "Runtime.OutOfMemory", message)

    def read_log(self) -> None:
        """Pass on what the function has written since the last time."""
        with self._reading:
            if self._log.closed:
                return
            # The rest of an unfinished line comes with the next reading.
            while (raw := self._log.readline()).endswith(b"\n"):
                line = raw.decode(errors="replace").rstrip("\n")
                if not _OWN.match(line):
                    self._write(self._measured(line) if line.startswith("REPORT ") else line)
            self._log.seek(-len(raw), os.SEEK_CUR)
            if self._process.poll() is not None:
                self._log.close()

    def _measured(self, report: str) -> str:
        """Replace the memory in a report: the emulator repeats the configured size there."""
        self.watch_memory()
        return _MEMORY.sub(f"Max Memory Used: {self._peak_bytes // 2**20} MB", report)


def sweep(folder: Path) -> None:
    """End the environments below a folder that a killed process left."""
    for left in folder.glob(f"*/{PID}"):
        pid = int(left.read_text())
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"aws-lambda-rie" in Path(f"/proc/{pid}/cmdline").read_bytes():
                for one in (*runtime.children(pid), pid):
                    os.kill(one, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)

"""An attempt of a step: a cabstand command in a process of its own, which a time-out or the end of the run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cabstand import trace
from cabstand.errors import DataError, NothingToDo, TaskError
from cabstand.settings import Settings

GRACE_S = 20.0  # between SIGTERM and SIGKILL; ECS gives the whole task 120 s
TAIL_LINES = 20
LOG_BYTES = 2**20  # of the end of a log that are kept
# What runs a command line in a process of its own, which dies with the run.
PROGRAM = (
    "from cabstand.io.dask.parent_death import die_with_parent; die_with_parent();"
    "from cabstand.__main__ import main; main()"
)


@dataclass
class Attempt:
    """A command line, how long it may take, and the log of the process that runs it."""

    words: Sequence[str]
    timeout_s: float
    env: Mapping[str, str]
    _lines: deque[bytes] = field(default_factory=deque)
    _size: int = 0

    @property
    def log(self) -> bytes:
        """What the command logged, the end of it if it is long."""
        return b"".join(self._lines)

    @property
    def tail(self) -> list[str]:
        """The last lines of the log."""
        return [line.decode(errors="replace").rstrip() for line in list(self._lines)[-TAIL_LINES:]]

    def run(self) -> dict[str, Any]:
        """Run the command and return its result; a NothingToDo if it says that it has nothing to do.

        Raises
        ------
        DataError
            It refuses its input.
        TaskError
            It fails or takes too long.
        """
        command = [sys.executable, "-c", PROGRAM, *self.words]
        # A session of its own: Ctrl-C reaches the run alone, which ends the command.
        with subprocess.Popen(
            command, env=dict(self.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            answer: list[bytes] = []
            readers = [
                threading.Thread(target=answer.extend, args=(process.stdout,), daemon=True),
                threading.Thread(target=self._follow, args=(process.stderr,), daemon=True),
            ]
            for reader in readers:
                reader.start()
            try:
                code = process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                raise TaskError(f"took longer than {self.timeout_s / 60:g} minutes and was ended") from None
            finally:
                _end(process)
                for reader in readers:
                    reader.join()
        return self._result(code, answer)

    def _follow(self, stream: IO[bytes]) -> None:
        """Keep the log and pass it on, except for the line with which a job ends on AWS: the run writes its own."""
        for line in stream:
            if b'"event": "job_finished"' in line:
                continue
            self._lines.append(line)
            self._size += len(line)
            while self._size > LOG_BYTES:
                self._size -= len(self._lines.popleft())
            with suppress(OSError, ValueError):  # nobody reads it
                sys.stderr.write(line.decode(errors="replace"))

    def _result(self, code: int, answer: list[bytes]) -> dict[str, Any]:
        if code == 0:
            try:
                result = dict(json.loads(answer[-1]))
            except (IndexError, ValueError, TypeError) as error:
                raise TaskError("ended without a result") from error
            if "nothing_to_do" in result:
                raise NothingToDo(str(result["nothing_to_do"]))
            return result
        if code < 0 or code > 128:
            raise TaskError(f"was ended by {signal.Signals(abs(code) % 128).name}")
        said = [line.removeprefix("error: ") for line in self.tail if line.startswith("error: ")]
        raise (DataError if code == 2 else TaskError)(said[-1] if said else f"exit code {code}")


def environment(settings: Settings, spans: Path) -> dict[str, str]:
    """Return the environment of a step: this process's, with the settings that its own options replaced.

    The step continues the trace, and leaves its spans in a file.
    """
    given = {
        "CABSTAND_HOME": str(settings.home),
        "CABSTAND_LAKE": settings.lake,
        "CABSTAND_ARTIFACTS": settings.artifacts,
    }
    if settings.log_json is None and sys.stderr.isatty():
        given["CABSTAND_LOG_JSON"] = "false"
    traced = trace.environment() | {"CABSTAND_TRACE_FILE": str(spans)}
    return os.environ | {name: value for name, value in given.items() if value} | traced


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, at first kindly."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

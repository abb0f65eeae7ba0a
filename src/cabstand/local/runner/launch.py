"""The first program of a task's process: takes on the limits of the task, then becomes its command.

It runs as a file in a bare Python: `python -I -S launch.py <JSON> <command>...`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Read the limits in the first argument: `parent`, `procs`, `data_bytes`, `cores`."""
    limits = json.loads(sys.argv[1])
    if sys.platform == "linux":
        # Nothing survives a killed runner; a process that outlives this one is ended by the next runner.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != limits["parent"]:
            sys.exit(1)
        os.sched_setaffinity(0, limits["cores"])
    if limits["procs"]:
        Path(limits["procs"]).write_text(str(os.getpid()))
    if limits["data_bytes"]:
        resource.setrlimit(resource.RLIMIT_DATA, (limits["data_bytes"],) * 2)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # no shell is wanted
    except OSError as error:
        # 127 is what a shell answers; the words are those of runc.
        print(f'exec: "{sys.argv[2]}": {error.strerror}', file=sys.stderr)  # noqa: T201
        sys.exit(127)


if __name__ == "__main__":
    main()

"""`python -m cabstand.local.stack.supervisor FOLDER`: notices when a part has ended, says so, and starts it again.

The emulator is not started again: it is the account, and with it everything in it is gone.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path

from cabstand import log
from cabstand.errors import CabstandError
from cabstand.local.stack import parts
from cabstand.local.stack.state import NAMES, State, changing, required

LOST = "it ended, and the account in it is lost: cabstand local down, then up"
CHECK_S, MOST_PATIENCE_S = 1.0, 60.0

_log = logging.getLogger(__name__)


def main(folder: Path) -> None:
    """Watch the stack in a folder until a signal."""
    log.configure("INFO", json_lines=False)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    waiting: dict[str, float] = {}  # when a part that could not be started is tried again
    while not stop.wait(CHECK_S):
        check(folder, waiting)


def check(folder: Path, waiting: dict[str, float]) -> None:
    """Look at each part once, and start again what has ended."""
    state = required(folder)
    if not state.parts["emulator"].process.alive:
        if state.parts["emulator"].note != LOST:
            _log.error("emulator: %s", LOST)
            _note(folder, "emulator", LOST)
        return  # nothing works without it
    for name in NAMES:
        part = state.parts.get(name)
        if part and name != "supervisor" and not part.process.alive and time.monotonic() > waiting.get(name, 0):
            _log.warning("%s (process %d) has ended and is started again", name, part.pid)
            if restart(state, name):
                waiting.pop(name, None)
            else:
                waiting[name] = time.monotonic() + MOST_PATIENCE_S / 4


def restart(state: State, name: str) -> bool:
    """End what a part has left and start it again; return whether that worked."""
    before = state.parts[name]
    parts.end(state, name)
    try:
        part = parts.start(state, name)
    except (CabstandError, OSError) as error:
        _log.error("%s does not start again: %s", name, error)
        _note(state.folder, name, f"it ended and does not start again: {error}")
        return False
    if part:
        part.restarts = before.restarts + 1
        with changing(state.folder) as current:
            current.parts[name] = part
        _log.info("%s runs again as process %d", name, part.pid)
    return True


def _note(folder: Path, name: str, text: str) -> None:
    with changing(folder) as state:
        state.parts[name].note = text


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""`python -m cabstand.local.services FOLDER`: what acts for AWS itself, as threads of one process, until a signal.

The environment holds the emulator's address and root key. A thread that fails is logged and begins again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cabstand import log
from cabstand.local.emulator import access
from cabstand.local.stack.state import load

# Each has `run(client, folder, stop)`.
MODULES = ("runner", "clock", "events", "alarms.watch")
PAUSE_S = 5.0  # before a failed one begins again

_log = logging.getLogger(__name__)


def main(folder: Path) -> None:
    """Run all until SIGTERM or SIGINT, then wait for them."""
    log.configure("INFO", json_lines=False)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    names = [name for name in MODULES if _has_run(name)]
    threads = [threading.Thread(target=keep_running, args=(name, folder, stop), name=name) for name in names]
    for thread in threads:
        thread.start()
    _log.info("running: %s", ", ".join(names) or "nothing")
    stop.wait()
    for thread in threads:
        thread.join()


def keep_running(name: str, folder: Path, stop: threading.Event) -> None:
    """Run one, and again after an error."""
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    client = lru_cache(partial(access.client, os.environ["AWS_ENDPOINT_URL"]))
    while not stop.is_set():
        try:
            run = import_module(f"cabstand.local.{name}").run
            run(client, own, stop, *_options(name, folder))
        except Exception:
            _log.exception("%s failed, and begins again in %.0f s", name, PAUSE_S)
            stop.wait(PAUSE_S)


def _options(name: str, folder: Path) -> list[Any]:
    """Return what a module's `run` takes besides: the runner, its image and where MLflow is served here."""
    state = load(folder)
    if name != "runner" or not state or "mlflow" not in state.parts:
        return []
    from cabstand.local.runner import Options

    image = Options.image if state.facts["use_image"] else None
    return [Options(image=image, addresses={state.facts["outputs"]["mlflow"]["uri"]: state.address("mlflow")})]


def _has_run(name: str) -> bool:
    module = f"cabstand.local.{name}"
    return find_spec(module) is not None and hasattr(import_module(module), "run")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

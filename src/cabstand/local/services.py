"""`python -m cabstand.local.services FOLDER`: what acts for AWS itself, as threads of one process, until a signal.

The environment holds the emulator's address and root key. A thread that fails is logged and begins again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from cabstand import log
from cabstand.local import clock, events, runner
from cabstand.local.alarms import heartbeat, queues, watch
from cabstand.local.emulator import access
from cabstand.local.events.targets import through_lambda
from cabstand.local.stack.state import State, required
from cabstand.local.stack.terraform import ENVIRONMENT

PAUSE_S = 5.0  # before a failed one begins again
Run = Callable[[Callable[[str], Any], Path, threading.Event], None]

_log = logging.getLogger(__name__)


def main(folder: Path) -> None:
    """Run all until SIGTERM or SIGINT, then wait for them."""
    log.configure("INFO", json_lines=False)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [
        threading.Thread(target=keep_running, args=(run, folder / name, stop), name=name)
        for name, run in of(required(folder)).items()
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()


def of(state: State) -> dict[str, Run]:
    """Return what runs, by name."""
    # In the account's network MLflow has another address; functions run where the gateway is.
    addresses = {state.facts["outputs"]["mlflow"]["uri"]: state.address("mlflow")}
    options = runner.Options(image=runner.Options.image if state.facts["use_image"] else None, addresses=addresses)
    namespace = f"cabstand/{ENVIRONMENT}"  # of infra/main.tf
    beat = partial(heartbeat.publish, url=state.address("mlflow"), namespace=namespace)
    invoke = through_lambda(partial(access.client, state.address("gateway")))
    return {
        "runner": partial(runner.run, options=options),
        "clock": partial(clock.run, invoke=invoke),
        "events": partial(events.run, invoke=invoke),
        "alarms": partial(watch.run, measures=(queues.publish, beat)),
    }


def keep_running(run: Run, folder: Path, stop: threading.Event) -> None:
    """Run one, and again after an error."""
    folder.mkdir(parents=True, exist_ok=True)
    client = lru_cache(partial(access.client, os.environ["AWS_ENDPOINT_URL"]))
    while not stop.is_set():
        try:
            run(client, folder, stop)
        except Exception:
            _log.exception("%s failed, and begins again in %.0f s", folder.name, PAUSE_S)
            stop.wait(PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

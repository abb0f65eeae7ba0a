"""The loop of a long-running part: a step every few seconds, through times without the emulator."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

AWAY = (NoConnection, HTTPClientError, ClientError)

_LOG = logging.getLogger(__name__)


def poll(name: str, step: Callable[[], None], seconds: float, stop: threading.Event) -> None:
    """Call `step` until `stop` is set; say once that the emulator does not answer, and once that it does again."""
    away = False
    while not stop.is_set():
        try:
            step()
        except AWAY as error:
            if not away:
                _LOG.warning("%s: the emulator does not answer as it should, trying again: %s", name, error)
            away = True
        else:
            if away:
                _LOG.info("%s: the emulator answers again", name)
            away = False
        stop.wait(seconds)

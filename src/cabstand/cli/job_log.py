"""The JSON log line with which a job ends on AWS; alarms on failed, slow and large jobs read it.

It is written only where `log_json` is set explicitly, as on AWS: a person at a terminal, or a script that reads stderr,
never sees it.
"""

from __future__ import annotations

import logging
import time

from cabstand import log, settings
from cabstand.errors import ConfigError
from cabstand.io.usage import largest_rss_mb

LOGGER = logging.getLogger(__name__)


def log_finish(arguments: list[str], code: int, started: float, reason: str = "") -> None:
    """Log the job (the first argument), its status, the `reason` of a failure, wall time and peak memory.

    The time is measured from `started` (`time.monotonic()`).
    """
    try:
        effective = settings.load()
    except ConfigError:
        return  # the command has already reported this error
    if effective.log_json is not True or not arguments:
        return
    if not logging.getLogger().handlers:  # the command failed before it configured logging
        log.configure(effective.log_level, json_lines=True)
    LOGGER.setLevel(logging.INFO)  # log this line even where the level in force is higher
    measured = {
        "event": "job_finished",
        "job": arguments[0],
        "status": "succeeded" if code == 0 else "failed",
        "exit_code": code,
        **({"reason": reason} if code else {}),
        "wall_s": round(time.monotonic() - started, 3),
        "peak_rss_mb": round(largest_rss_mb(), 1),
    }
    LOGGER.info("job finished", extra=measured)

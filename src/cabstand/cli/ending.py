"""How a command ended, as one JSON log line: what the alarms on failed, slow and large jobs are made of.

Written only where `log_json` is set on purpose, as it is on AWS; a person at a terminal, or a script that reads stderr,
sees nothing of it.
"""

from __future__ import annotations

import logging
import resource
import time

from cabstand import log, settings
from cabstand.errors import ConfigError

LOGGER = logging.getLogger(__name__)


def tell(arguments: list[str], code: int, started: float) -> None:
    """Log the job's name, status, wall time in seconds and peak memory in MiB.

    Parameters
    ----------
    arguments : list of str
        The command line, whose first word is the job.
    code : int
        Exit code; 0 is success.
    started : float
        What `time.monotonic` said at the start.
    """
    try:
        effective = settings.load()
    except ConfigError:
        return  # the error has been told already
    if effective.log_json is not True or not arguments:
        return
    if not logging.getLogger().handlers:  # it failed before logging was set up
        log.configure(effective.log_level, json_lines=True)
    LOGGER.setLevel(logging.INFO)  # whatever is the lowest level of the rest
    measured = {
        "event": "job_finished",
        "job": arguments[0],
        "status": "succeeded" if code == 0 else "failed",
        "exit_code": code,
        "wall_s": round(time.monotonic() - started, 3),
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }
    LOGGER.info("job finished", extra=measured)


def peak_rss_mb() -> float:
    """Return the largest resident memory of this process or of any one child, in MiB."""
    kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kib / 1024

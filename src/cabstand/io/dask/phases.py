"""Run the phases of a distributed job: one task for each tuple of arguments, on any worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cabstand.errors import CabstandError, TaskError
from cabstand.io.dask.workers import DEATHS
from cabstand.io.usage import peak_rss_mb

if TYPE_CHECKING:
    from distributed import Client

_log = logging.getLogger(__name__)

POLL_S = 5
NO_WORKER_S = 120
RETRIES = 2  # of a task that raised


@dataclass
class PhaseRunner:
    """Runs phases on Dask workers."""

    client: Client
    peak_rss_mb: float = 0.0  # of any worker so far, in MiB

    def run(self, phase: str, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call the function for each tuple of arguments and return the results in that order.

        The tasks of a worker that dies or freezes are run again on others: the function is defined at module level and
        has no side effects other than files that it writes whole. The first error ends the phase: a CabstandError that
        the function raised, or a TaskError if workers keep dying under a task or there are none.
        """
        futures = {
            self.client.submit(
                _measured, function, *given, key=f"{phase}-{self.client.id}-{number}", pure=False, retries=RETRIES
            ): number
            for number, given in enumerate(arguments)
        }
        results: list[Any] = [None] * len(futures)
        started = time.perf_counter()
        try:
            for future in _completed(self.client, set(futures), phase):
                results[futures[future]], peak = _result(future, phase)
                self.peak_rss_mb = max(self.peak_rss_mb, peak)
        finally:
            self.client.cancel(list(futures), force=True)
        _log.info("%s: %d tasks in %.1f s", phase, len(results), time.perf_counter() - started)
        return results


def _measured(function: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    return function(*given), peak_rss_mb()


def _completed(client: Client, pending: set[Any], phase: str) -> Iterator[Any]:
    """Yield futures as they complete, unless there is no worker for `NO_WORKER_S`."""
    from distributed import wait

    last_seen = time.monotonic()
    while pending:
        with suppress(TimeoutError):
            done, pending = wait(pending, timeout=POLL_S, return_when="FIRST_COMPLETED")
            yield from done
        if client.scheduler_info(n_workers=-1)["workers"]:
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > NO_WORKER_S:
            raise TaskError(
                f"no worker for {NO_WORKER_S} s",
                where=f"phase {phase}",
                hint="see the workers' logs; CABSTAND_TASK_LIFETIME_S ends tasks",
            )


def _result(future: Any, phase: str) -> Any:
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except CabstandError:
        raise
    except KilledWorker as error:
        what, hint = (
            f"{DEATHS} workers died",
            "out of memory? give each more with --worker-memory-gib, or use more --blocks",
        )
        raise TaskError(what, where=f"phase {phase}", hint=hint) from error
    except MemoryError as error:
        raise TaskError(
            "out of memory", where=f"phase {phase}", hint="use more --blocks, or raise --worker-memory-gib"
        ) from error
    except Exception as error:  # of any library on the worker: the user gets one line
        raise TaskError(f"{type(error).__name__}: {error}", where=f"phase {phase}") from error

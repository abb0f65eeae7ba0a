"""Dask workers: a cluster of this machine's own, or one that is there already.

The scheduler of a local cluster speaks TLS with certificates made for it alone, on 127.0.0.1: no other user or process
can give it work. Workers end with the process that started them, whichever way it ends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cabstand.errors import CabstandError, ConfigError, TaskError

if TYPE_CHECKING:
    from distributed import Client

_log = logging.getLogger(__name__)

CONNECT_S = 20
LOOK_S = 5
ALONE_S = 120
RETRIES = 2  # of a task that raised
DEATHS = 10  # of workers under one task, before it is given up

CONFIG = {
    "distributed.scheduler.worker-ttl": "30s",  # a worker silent for so long is started anew
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.preload": ["cabstand.io.dask.parent_death"],
    # Tasks keep their data in files and their memory bounded; Dask need not move it to a disk that may be full.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # A worker that is slow to come back, on a busy machine, is waited for, not given up (15 s by default).
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.admin.tick.limit": "1m",
    "distributed.comm.timeouts.connect": "20s",
    "distributed.comm.timeouts.tcp": "30s",
}


@contextmanager
def local(n_workers: int, memory_bytes: int | None, folder: str) -> Iterator[Client]:
    """Start workers on this machine, each a process with one thread.

    Parameters
    ----------
    n_workers : int
        How many.
    memory_bytes : int, optional
        What each may use before it is ended and started anew; by default its share of the machine.
    folder : str
        Where they may put files.
    """
    import dask
    from distributed import Client, LocalCluster, Security

    security = Security.temporary()
    with (
        dask.config.set(CONFIG),
        _quiet(),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=memory_bytes or "auto",
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        yield client


@contextmanager
def at(address: str) -> Iterator[Client]:
    """Use the workers of a scheduler that runs already; keys and certificates come from Dask's own configuration.

    Raises
    ------
    ConfigError
        If nothing answers there, or it has no workers.
    """
    import dask
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_S}s"}))
        stack.enter_context(_quiet())
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_S))
            client.wait_for_workers(1, timeout=60)
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(f"no Dask scheduler with workers: {error}", where=address) from error
        yield client


def memory_of(client: Client) -> tuple[int, int]:
    """Return the number of workers and the least memory that one of them may use, in bytes."""
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    return len(known), min(int(worker["memory_limit"] or 1 << 40) for worker in known)


def each(client: Client, phase: str, work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Do the work for each tuple of arguments and return the results in that order.

    Whoever dies or freezes, its tasks are run again elsewhere; the first error ends all.

    Parameters
    ----------
    phase : str
        What it is called in Dask's pictures and in errors.
    work : callable
        A function of a module, without side effects but files that it writes whole.

    Raises
    ------
    TaskError
        If workers keep dying under a task.
    CabstandError
        What the work raised.
    """
    futures = {
        client.submit(work, *given, key=f"{phase}-{client.id}-{number}", pure=False, retries=RETRIES): number
        for number, given in enumerate(arguments)
    }
    results: list[Any] = [None] * len(futures)
    started = time.perf_counter()
    try:
        for future in _as_they_end(client, set(futures), phase):
            results[futures[future]] = _result(future, phase)
    finally:
        client.cancel(list(futures), force=True)
    _log.info("%s: %d tasks in %.1f s", phase, len(results), time.perf_counter() - started)
    return results


def _as_they_end(client: Client, pending: set[Any], phase: str) -> Iterator[Any]:
    """Yield futures as they end, as long as there are workers, or hope for some."""
    from distributed import wait

    last_seen = time.monotonic()
    while pending:
        with suppress(TimeoutError):
            done, pending = wait(pending, timeout=LOOK_S, return_when="FIRST_COMPLETED")
            yield from done
        if client.scheduler_info(n_workers=-1)["workers"]:
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > ALONE_S:
            raise TaskError(f"no worker for {ALONE_S} s", where=f"phase {phase}", hint="see the workers' own logs")


def _result(future: Any, phase: str) -> Any:
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except CabstandError:
        raise
    except KilledWorker as error:
        raise TaskError(
            f"{DEATHS} workers died", where=f"phase {phase}", hint="out of memory? give each more, or use more blocks"
        ) from error
    except MemoryError as error:
        raise TaskError("out of memory", where=f"phase {phase}", hint="use more blocks") from error
    except Exception as error:  # whatever a library raised over there, the user gets one line
        raise TaskError(f"{type(error).__name__}: {error}", where=f"phase {phase}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Dask logs of workers that come and go from the user: it is expected."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

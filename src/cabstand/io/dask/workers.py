"""Dask workers: start some on this machine, or connect to a running scheduler.

A local scheduler listens on 127.0.0.1 and speaks TLS with certificates made for it alone, so no other user or process
can submit work to it. Workers end with the process that started them, however it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cabstand.errors import ConfigError, TaskError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Security

CONNECT_S = 20
WORKERS_S = 60
DEATHS = 10  # of workers under one task before it fails

CONFIG = {
    "distributed.scheduler.worker-ttl": "30s",  # a worker that is silent for so long is restarted
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.preload": ["cabstand.io.dask.parent_death"],
    # Tasks keep their data in files and their memory bounded; Dask must not spill to a disk that may be full.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # On a busy machine a worker may be slow to come back; the default is 15 s.
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.admin.tick.limit": "1m",
    "distributed.comm.timeouts.connect": "20s",
    "distributed.comm.timeouts.tcp": "30s",
}


@contextmanager
def local(n_workers: int, memory_bytes: int | None, folder: str) -> Iterator[Client]:
    """Start workers on this machine, each a process with one thread that keeps its own files in `folder`.

    A worker that uses more than `memory_bytes` is restarted; by default that is its share of the machine.
    """
    import dask
    from distributed import Client, Security

    security = Security.temporary()
    with (
        dask.config.set(CONFIG),
        _quiet(),
        encrypted_cluster(
            security,
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=memory_bytes or "auto",
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        yield client


def encrypted_cluster(security: Security, **options: Any) -> LocalCluster:
    """Return a scheduler and its workers that speak TLS and show no dashboard."""
    from distributed import LocalCluster

    return LocalCluster(protocol="tls://", security=security, scheduler_kwargs={"dashboard": False}, **options)


@contextmanager
def at(address: str) -> Iterator[Client]:
    """Connect to a running scheduler; keys and certificates come from Dask's own configuration.

    ConfigError if no scheduler answers, or it has no workers.
    """
    import dask
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_S}s"}))
        stack.enter_context(_quiet())
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_S))
            client.wait_for_workers(1, timeout=WORKERS_S)
        except (OSError, ValueError, TimeoutError) as error:
            hint = "start them, or name another with --scheduler or CABSTAND_DASK_SCHEDULER"
            raise ConfigError(f"no Dask scheduler with workers: {error}", where=address, hint=hint) from error
        yield client


def memory_of(client: Client) -> tuple[int, int]:
    """Return the number of workers and the smallest memory limit among them, in bytes; a TaskError if none is left."""
    try:
        client.wait_for_workers(
            1, timeout=WORKERS_S
        )  # a busy machine's worker may have lost its connection for a moment
    except TimeoutError as error:
        raise TaskError("no Dask worker is left", where=client.scheduler.address, hint="see their logs") from error
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    return len(known), min(int(worker["memory_limit"] or 1 << 40) for worker in known)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what Dask logs about workers that come and go, which is expected."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

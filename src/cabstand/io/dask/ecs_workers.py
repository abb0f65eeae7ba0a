"""Dask workers as ECS tasks: a run starts its own and stops them, however it ends.

Three things prevent orphans: the run stops its tasks when it ends, fails or gets SIGTERM; a worker that cannot find its
scheduler exits (`DEATH_S`); and no worker outlives its lifetime. Scheduler and workers speak TLS with certificates made
for this run alone, which workers read from the run's own folder of the lake.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cabstand.errors import TaskError
from cabstand.io import ecs_tasks, storage
from cabstand.io.dask import workers
from cabstand.io.ecs_tasks import Fleet
from cabstand.io.signals import exit_on_termination

if TYPE_CHECKING:
    from distributed import Client, Security

SCHEDULER_PORT = 8786
WORKER_PORTS = "9000:9049"
NANNY_PORTS = "9050:9099"
DEATH_S = 60
METADATA_S = 5
ARRIVAL_S = 300  # a Fargate task takes about a minute to start


@contextmanager
def on_ecs(fleet: Fleet, n_workers: int, folder: str) -> Iterator[Client]:
    """Start a scheduler in this process and worker tasks on ECS, and stop them when the block ends.

    Only this run uses `folder`, a URI that its workers can read. TaskError if AWS refuses, or no worker arrives.
    """
    import dask
    from distributed import Client, Security

    security = Security.temporary()
    with ExitStack() as stack:
        stack.enter_context(exit_on_termination())
        stack.enter_context(dask.config.set(workers.CONFIG))
        host = _own_address()
        # The security group lets workers reach one port; on the loopback interface, tasks share all ports.
        port = 0 if ip_address(host).is_loopback else SCHEDULER_PORT
        options = {"n_workers": 0, "host": host, "scheduler_port": port, "dashboard_address": None}
        cluster = stack.enter_context(workers.encrypted_cluster(security, **options))
        certificates = stack.enter_context(_published(security, folder))
        environment = {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address, "CABSTAND_DASK_TLS": certificates}
        started = ecs_tasks.start(fleet, n_workers, environment)
        stack.callback(ecs_tasks.stop, fleet.cluster, started, "the run has ended")
        client = stack.enter_context(Client(cluster, security=security))
        _wait(client, n_workers)
        yield client
        with suppress(Exception):  # workers that hear of the end exit by themselves; the others are stopped
            client.retire_workers()


@contextmanager
def _published(security: Security, folder: str) -> Iterator[str]:
    """Write the workers' keys and certificates, yield their URI, and delete them when the block ends."""
    uri = storage.join(folder, "dask-tls.json")
    pem = {name: getattr(security, f"tls_{name}") for name in ("ca_file", "worker_cert", "worker_key")}
    storage.write(uri, json.dumps(pem).encode())
    try:
        yield uri
    finally:
        storage.delete(uri)


def _wait(client: Client, n_workers: int) -> None:
    try:
        client.wait_for_workers(n_workers, timeout=ARRIVAL_S)
    except TimeoutError as error:
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        if there == 0:
            raise TaskError(f"no worker arrived in {ARRIVAL_S} s", hint="see the log group of dask-worker") from error


def _own_address() -> str:
    """Return the address at which other tasks reach this one: what ECS tells it, or else this machine's in its network.

    See "Amazon ECS task metadata endpoint version 4" in the Amazon ECS developer guide.
    """
    import httpx2

    if endpoint := os.environ.get("ECS_CONTAINER_METADATA_URI_V4"):
        with suppress(httpx2.HTTPError, LookupError, ValueError):
            container = httpx2.get(endpoint, timeout=METADATA_S, trust_env=False).json()
            return str(container["Networks"][0]["IPv4Addresses"][0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 1))  # sends nothing
        return str(probe.getsockname()[0])

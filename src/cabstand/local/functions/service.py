"""The functions of an emulated account, invoked by name and qualifier."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cabstand.errors import TaskError
from cabstand.local.functions import deployed, interpreters, invocation, runtime
from cabstand.local.functions.deployed import Clients, Target, Version
from cabstand.local.functions.environment import Environment, sweep
from cabstand.local.functions.fresh import Fresh
from cabstand.local.functions.invocation import Invocation, RefusedError
from cabstand.local.functions.log_writer import LogWriter
from cabstand.local.functions.pool import MOST_ENVIRONMENTS, Pool
from cabstand.local.metrics.publisher import Publisher
from cabstand.local.role import Role

WATCH_S, READ_S, REAP_S = 0.05, 0.5, 5.0
CACHE = Path(__file__).resolve().parents[4] / "build"


class Functions:
    """Invokes functions in environments below `folder`; `client` returns an SDK client of the emulator.

    `cache` keeps Lambda's runtime client, `most` limits the environments of each function, `generator` draws versions
    by the weights of an alias.
    """

    def __init__(
        self, client: Clients, folder: Path, *, cache: Path = CACHE, most: int = MOST_ENVIRONMENTS,
        generator: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._client = lru_cache(maxsize=None)(client)
        self._folder, self._cache, self._most = folder, cache, most
        self._generator = generator or random.Random()  # noqa: S311
        self._targets: dict[tuple[str, str], Fresh[Target]] = {}
        self._versions: dict[tuple[str, str], Fresh[Version]] = {}
        self._pools: dict[str, Pool] = {}
        self._starting, self._stop, self._in_use = threading.Lock(), threading.Event(), threading.Event()
        sweep(self._folder / "environments")
        self.log, self.metrics = LogWriter(), Publisher(lambda: self._client("cloudwatch"))
        self._keeper = threading.Thread(target=self._keep, name="environments", daemon=True)
        self._keeper.start()

    def invoke(self, name: str, qualifier: str, payload: bytes) -> Invocation:
        """Invoke a version, `$LATEST` or an alias with a JSON document; `RefusedError` where Lambda's Invoke fails."""
        return self._invoke(*self._chosen(name, qualifier, payload), payload)

    async def invoke_here(self, threads: Executor, name: str, qualifier: str, payload: bytes) -> Invocation:
        """Do the same on the running event loop: in a thread only if something must be read, started or waited for."""
        loop = asyncio.get_running_loop()
        kept = self._targets.get((name, qualifier))
        if not kept or not kept.is_recent:
            return await loop.run_in_executor(threads, self.invoke, name, qualifier, payload)
        version, reserved = self._chosen(name, qualifier, payload)
        with self._measured(name) as measure, self._pool(name).lent_if_free(version.key, reserved) as environment:
            if environment:
                began_s = time.perf_counter()
                return measure(began_s, await environment.invoke_here(payload, str(uuid.uuid4())))
        return await loop.run_in_executor(threads, self._invoke, version, reserved, payload)

    def close(self) -> None:
        """End every environment and write what is left of their logs."""
        self._stop.set()
        self._in_use.set()
        self._keeper.join()
        for pool in self._pools.values():
            pool.close()
        self.log.close()
        self.metrics.close()
        shutil.rmtree(self._folder / "environments", ignore_errors=True)

    def _chosen(self, name: str, qualifier: str, payload: bytes) -> tuple[Version, int | None]:
        """Return the version that serves a request, and the function's reserved concurrency."""
        if len(payload) > invocation.MOST_BYTES:
            raise invocation.too_large(len(payload))
        target = self._fresh(self._targets, deployed.target, name, qualifier).get()
        number = deployed.choose(target.shares, self._generator)
        return self._fresh(self._versions, deployed.version, name, number).get(), target.reserved

    def _invoke(self, version: Version, reserved: int | None, payload: bytes) -> Invocation:
        lent = self._pool(version.name).lent(version.key, reserved, lambda: self._start(version))
        with self._measured(version.name) as measure, lent as environment:
            began_s = time.perf_counter()
            return measure(began_s, environment.invoke(payload, str(uuid.uuid4())))

    @contextmanager
    def _measured(self, name: str) -> Iterator[Callable[[float, Invocation], Invocation]]:
        """Record an invocation, which the block tells of, or that it was refused."""
        add = partial(self.metrics.add, "AWS/Lambda", "FunctionName", name)

        def measure(began_s: float, found: Invocation) -> Invocation:
            add(
                Invocations=1,
                Errors=int(found.error is not None),
                Throttles=0,
                Duration=round((time.perf_counter() - began_s) * 1000),
                ConcurrentExecutions=self._pool(name).n_requests,
            )
            return found

        try:
            yield measure
        except RefusedError as refused:
            if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
                add(Throttles=1)
            raise

    def _pool(self, name: str) -> Pool:
        return self._pools.get(name) or self._pools.setdefault(name, Pool(self._most))

    def _fresh(self, kept: dict[tuple[str, str], Fresh[Any]], read: Callable[..., Any], *key: str) -> Fresh[Any]:
        found = kept.get((key[0], key[1]))
        return found or kept.setdefault((key[0], key[1]), Fresh(lambda: read(self._client("lambda"), *key)))

    def _keep(self) -> None:
        read_at = reaped_at = time.monotonic()
        # Without an environment there is nothing to look at.
        while self._in_use.wait() and not self._stop.wait(WATCH_S):
            now, pools = time.monotonic(), list(self._pools.values())
            self._in_use.clear()  # before the look: what starts after it sets it again
            if not all(pool.is_empty for pool in pools):
                self._in_use.set()
            for pool in pools:
                pool.watch()
                if now - read_at > READ_S:
                    pool.read_logs()
                if now - reaped_at > REAP_S:
                    pool.reap()
            read_at = now if now - read_at > READ_S else read_at
            reaped_at = now if now - reaped_at > REAP_S else reaped_at

    def _start(self, version: Version) -> Environment:
        self._in_use.set()
        python = interpreters.find(version.python)
        if not python:
            hint = "install it, or choose the runtime of an installed one"
            raise TaskError(f"Python {version.python} is not installed", where=version.name, hint=hint)
        with self._starting:
            installed = runtime.install(version.python, self._cache)
            tree = deployed.unpacked(self._client, version, self._folder / "code")
        identity = uuid.uuid4().hex
        folder = self._folder / "environments" / identity
        role = Role(self._client, str(version.configuration["Role"]), version.name.ljust(2, "-"))
        group = f"/aws/lambda/{version.name}"
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version.number}]{identity}"
        write = self.log.open(group, stream, partial(role.service, "logs"))
        variables = self._variables(version, role.credentials(), folder) | {
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        }
        return Environment(version, (python, tree, installed), variables, folder, write)

    def _variables(self, version: Version, credentials: Mapping[str, Any], folder: Path) -> dict[str, str]:
        """Return what Lambda sets, and over it the version's own variables.

        /tmp belongs to one environment on Lambda, so a variable's path below it moves into the environment's folder.
        """
        settings, emulator = version.configuration, self._client("lambda").meta
        region = str(emulator.region_name)
        own = (settings.get("Environment") or {}).get("Variables") or {}
        moved = {name: re.sub(r"^/tmp(?=/|$)", str(folder / "tmp"), value) for name, value in own.items()}
        return moved | {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": str(emulator.endpoint_url),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": version.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.number,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(settings["Timeout"]),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "TZ": ":UTC",
        }

"""`python -m cabstand.local.gateway`: serve the emulator's HTTP APIs on 127.0.0.1, and print the address.

It reads the emulator at AWS_ENDPOINT_URL, and ends with SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config

from cabstand import log
from cabstand.errors import CabstandError, ConfigError
from cabstand.local.functions.pool import MOST_ENVIRONMENTS
from cabstand.local.functions.service import CACHE, Functions
from cabstand.local.gateway import certificate
from cabstand.local.gateway.app import Gateway

KEY = "emulator"  # of the emulator's root user


def client(service: str) -> Any:
    """Return an SDK client of the emulator as its root user."""
    url = os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        raise ConfigError("AWS_ENDPOINT_URL is not set", hint="start python -m cabstand.local.emulator")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    once = Config(
        connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}
    )
    return boto3.client(
        service, endpoint_url=url, region_name=region, aws_access_key_id=KEY, aws_secret_access_key=KEY, config=once
    )


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m cabstand.local.gateway", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port; a free one by default")
    parser.add_argument("--folder", type=Path, required=True, help="work folder of the functions")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder that keeps Lambda's runtime client")
    parser.add_argument("--environments", type=int, default=MOST_ENVIRONMENTS, help="most processes of each function")
    parser.add_argument("--https", action="store_true", help="serve HTTPS with a self-made certificate")
    given = parser.parse_args()
    log.configure()
    sys.setswitchinterval(0.0005)  # a request does not wait for a thread that reads the emulator's state
    try:
        _serve(given)
    except CabstandError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _serve(given: argparse.Namespace) -> None:
    given.folder.mkdir(parents=True, exist_ok=True)
    client("sts")  # says so now if the address is missing
    pair = certificate.make(given.folder) if given.https else None
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", given.port))
        except OSError as error:
            raise ConfigError(
                f"the port is taken: {error}", where=f"port {given.port}", hint="choose another"
            ) from error
        listening.listen(128)
        functions = Functions(client, given.folder.absolute(), cache=given.cache.absolute(), most=given.environments)
        settings = uvicorn.Config(
            Gateway(client, functions), log_config=None, log_level="warning", access_log=False, lifespan="off",
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
            ssl_certfile=pair and pair[0], ssl_keyfile=pair and pair[1],
        )  # fmt: skip
        print(f"{'https' if pair else 'http'}://127.0.0.1:{listening.getsockname()[1]}", flush=True)  # noqa: T201
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # uvicorn raises it again after its end: ours comes then
        try:
            uvicorn.Server(settings).run(sockets=[listening])
        finally:
            functions.close()


if __name__ == "__main__":
    main()

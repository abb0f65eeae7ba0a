"""The patched moto server."""

from __future__ import annotations

import logging
import os
from types import TracebackType

from cabstand.local.emulator.patches import apply_all

# The account that moto answers for.
ACCOUNT_ID = "123456789012"


class Emulator:
    """An AWS account's control plane on 127.0.0.1, for as long as the block runs.

    Parameters
    ----------
    port : int
        Port to listen on; 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        # Without it botocore asks a machine's metadata service, which is not there.
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        apply_all()
        _run_nothing_in_docker()
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # thousands of requests, a line each
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)

    @property
    def url(self) -> str:
        """Address to give as `AWS_ENDPOINT_URL`; known once the server has started."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def start(self) -> str:
        """Start to listen and return the address."""
        self._server.start()
        return self.url

    def stop(self) -> None:
        """Stop listening; what was made is forgotten with the process."""
        self._server.stop()

    def __enter__(self) -> Emulator:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()


def _run_nothing_in_docker() -> None:
    """Let moto record functions and batch jobs without a container engine."""
    from moto.core.config import default_user_config

    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}

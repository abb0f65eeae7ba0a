"""The patched moto server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cabstand.local.emulator.patches import apply_all


@contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """Serve the control plane of an empty AWS account on 127.0.0.1, from a thread, while the block runs.

    Port 0 picks a free one; the value is the address for `AWS_ENDPOINT_URL`.
    """
    from moto.core.config import default_user_config
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    # Without this, botocore asks the metadata service of EC2, which does not exist here.
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    apply_all()
    # Functions and batch jobs are recorded; running them would need a container engine.
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line per request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, actual_port = server.get_host_and_port()
        yield f"http://{host}:{actual_port}"
    finally:
        server.stop()

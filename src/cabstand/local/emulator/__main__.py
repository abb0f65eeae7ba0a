"""`python -m cabstand.local.emulator [port]`: print the address for `AWS_ENDPOINT_URL` and serve until a signal.

It serves the control plane of an empty AWS account on 127.0.0.1; without a port, on a free one.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from moto.core.config import default_user_config
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from cabstand.local.emulator import patches


def main() -> None:
    """Serve on the port in the first argument."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the server's thread, which inherits it
    # Without this, botocore asks the metadata service of EC2, which does not exist here.
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    for name in patches.ALL:
        patches.apply(name)
    # Functions and batch jobs are recorded; running them would need a container engine.
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line per request
    server = ThreadedMotoServer(
        ip_address="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201
    signal.sigwait(signals)
    server.stop()


if __name__ == "__main__":
    main()

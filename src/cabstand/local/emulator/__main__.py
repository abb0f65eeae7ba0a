"""`python -m cabstand.local.emulator [port] [--record FILE]`: print the address for `AWS_ENDPOINT_URL` and serve.

It serves the control plane of an empty AWS account on 127.0.0.1 until a signal; without a port, on a free one. The file
gets a line of JSON for each role, action, resource and answer that is new to it.
"""

from __future__ import annotations

import logging
import os
import signal
from argparse import ArgumentParser
from pathlib import Path

from moto.core.config import default_user_config
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from cabstand.local.emulator import enforcement, patches, site


def main() -> None:
    """Serve as the command line says."""
    parser = ArgumentParser(prog="python -m cabstand.local.emulator")
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the server's thread, which inherits it
    # Without this, botocore asks the metadata service of EC2, which does not exist here.
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    for name in patches.ALL:
        patches.apply(name)
    site.serve()
    enforcement.enforce(arguments.record)
    # Functions and batch jobs are recorded; running them would need a container engine.
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["batch"] = {"use_docker": False}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line per request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=arguments.port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201
    signal.sigwait(signals)
    server.stop()


if __name__ == "__main__":
    main()

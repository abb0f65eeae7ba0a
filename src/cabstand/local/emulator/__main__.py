"""`python -m cabstand.local.emulator [port]`: print the address and serve until a signal."""

from __future__ import annotations

import signal
import sys

from cabstand.local.emulator.server import serve


def main() -> None:
    """Serve on the port in the first argument, by default a free one."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the server's threads, which inherit it
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as url:
        print(url, flush=True)  # noqa: T201
        signal.sigwait(signals)


if __name__ == "__main__":
    main()

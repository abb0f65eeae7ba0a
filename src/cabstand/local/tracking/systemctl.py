"""Stand-in for systemctl: runs what a unit's [Service] section says, in the bare environment that systemd gives.

UNITS names the folder of units, STATE where process ids are kept, SERVICE_PATH the PATH of a service.
"""

from __future__ import annotations

import configparser
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(words: list[str]) -> None:
    """Note the call; restart or stop the services that it names."""
    units, state = Path(os.environ["UNITS"]), Path(os.environ["STATE"])
    with (state / "calls").open("a") as calls:
        calls.write(" ".join(words) + "\n")
    if words[0] in ("restart", "stop"):
        for name in (word for word in words[1:] if word.endswith(".service")):
            _stop(state / f"{name}.pid")
            if words[0] == "restart":
                _start(units / name, state)


def _stop(pid_file: Path) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    pid_file.unlink()
    for kind, patience in ((signal.SIGTERM, 100), (signal.SIGKILL, 100)):
        try:
            os.killpg(pid, signal.SIGCONT)
            os.killpg(pid, kind)
            for _ in range(patience):
                os.killpg(pid, 0)
                time.sleep(0.1)
        except ProcessLookupError:
            return


def _start(unit_file: Path, state: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(unit_file)
    service = unit["Service"]
    runtime = state / service.get("RuntimeDirectory", "runtime")
    runtime.mkdir(exist_ok=True)
    env = {"PATH": os.environ["SERVICE_PATH"], "RUNTIME_DIRECTORY": str(runtime)}
    name, _, value = service["Environment"].partition("=")
    env[name] = value
    process = subprocess.Popen(
        service["ExecStart"].split(),
        env=env,
        cwd=service["WorkingDirectory"],
        start_new_session=True,
        stdout=(state / f"{unit_file.name}.log").open("ab"),
        stderr=subprocess.STDOUT,
    )
    (state / f"{unit_file.name}.pid").write_text(str(process.pid))


if __name__ == "__main__":
    main(sys.argv[1:])

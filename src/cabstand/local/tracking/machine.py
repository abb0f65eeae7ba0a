"""The MLflow server's machine: the module's own set-up script, and a stand-in for systemctl that runs its service."""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVICE = "cabstand-mlflow.service"


@dataclass
class Machine:
    """A folder with the machine's root, the state of its services, and the programs that the script calls."""

    folder: Path
    script: Path  # mlflow_setup.sh
    environment: dict[str, str] = field(default_factory=dict)  # more for the script

    @property
    def root(self) -> Path:
        """What the script takes for the machine's root."""
        return self.folder / "root"

    @property
    def state(self) -> Path:
        """Process ids and logs of the services."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.state / f"{SERVICE}.log"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int((self.state / f"{SERVICE}.pid").read_text())

    def make(self, settings: Mapping[str, str]) -> None:
        """Make the machine, with the configuration that its user data would write."""
        programs = self.folder / "bin"
        for folder in (self.root / "run", self.root / "etc/cabstand", self.state, programs):
            folder.mkdir(parents=True, exist_ok=True)
        stand_in = [sys.executable, str(Path(__file__).with_name("systemctl.py"))]
        (programs / "systemctl").write_text(f'#!/bin/sh\nexec {shlex.join(stand_in)} "$@"\n', encoding="utf-8")
        (programs / "systemctl").chmod(0o755)
        (programs / "aws").unlink(missing_ok=True)
        (programs / "aws").symlink_to(Path(sys.executable).with_name("aws"))
        config = self.root / "etc/cabstand/mlflow.env"
        config.touch(mode=0o600)
        config.write_text(
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()), encoding="utf-8"
        )

    def share_python(self, requirements: Path) -> None:
        """Let the script find MLflow installed: in this Python's environment, which saves minutes."""
        home = self.root / "opt/cabstand/mlflow"
        home.mkdir(parents=True, exist_ok=True)
        (home / "venv").unlink(missing_ok=True)
        (home / "venv").symlink_to(sys.prefix)
        installed = hashlib.sha256(requirements.read_bytes()).hexdigest()
        (home / "installed.sha256").write_text(f"{installed}\n", encoding="utf-8")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the script as cloud-init would."""
        env = self._service_environment() | {
            "PATH": self._path,
            "MLFLOW_ACCOUNT": pwd.getpwuid(os.geteuid()).pw_name,
            "CABSTAND_ROOT": str(self.root),
            "HOME": str(self.state),
            "PIP_CACHE_DIR": str(Path.home() / ".cache/pip"),
            "PIP_NO_COMPILE": "1",  # halves the time; the first import compiles
        }
        env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        return subprocess.run(
            ["bash", str(self.script), *words], env=env, capture_output=True, text=True, timeout=900, check=False
        )

    def systemctl(self, *words: str) -> None:
        """Stop or restart services."""
        program = self.folder / "bin/systemctl"
        env = os.environ | self._service_environment()
        subprocess.run([str(program), *words], env=env, check=True, timeout=60)

    @property
    def _path(self) -> str:
        return f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"

    def _service_environment(self) -> dict[str, str]:
        units = str(self.root / "etc/systemd/system")
        return {"UNITS": units, "STATE": str(self.state), "SERVICE_PATH": self._path} | self.environment

"""An account on an emulator, and Terraform run in it on a copy of infra/."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cabstand.local.emulator.access import client, environment
from cabstand.local.stack import terraform

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Account:
    """An emulated account, and the copy of infra/ that is applied to it."""

    url: str
    tree: Path

    def client(self, service: str) -> Any:
        return client(self.url, service)

    def terraform(self, *words: str, code: int = 0) -> str:
        """Run scripts/terraform.py, expect an exit code, and return stdout, or stderr if the code is not 0."""
        run = subprocess.run(
            [sys.executable, str(self.tree / "scripts/terraform.py"), *words],
            env=environment(self.url),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.tree,
        )
        assert run.returncode == code, f"terraform {' '.join(words)}: {run.stdout[-3000:]}{run.stderr[-3000:]}"
        return run.stderr if code else run.stdout

    def plan(self, environment: str, *arguments: str) -> dict[str, Any]:
        """Return a plan as JSON; it is also in `<environment>.tfplan` and `plan.json`."""
        file = self.tree / f"{environment}.tfplan"
        self.terraform(environment, "plan", "-input=false", f"-out={file}", *arguments)
        text = self.terraform(environment, "show", "-json", str(file))
        (self.tree / "plan.json").write_text(text)
        shown: dict[str, Any] = json.loads(text)
        return shown

    def cabstand(self, *words: str, code: int = 0, typed: str = "") -> tuple[dict[str, Any], str]:
        """Run the command line on this account; return its JSON (empty after an error) and the last line of its log."""
        run = subprocess.run(
            [sys.executable, "-m", "cabstand", *words],
            env=environment(self.url),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.tree,
            input=typed,
        )
        assert run.returncode == code, f"cabstand {' '.join(words)}: {run.stdout[-3000:]}{run.stderr[-3000:]}"
        result = json.loads(run.stdout.splitlines()[-1]) if run.stdout.strip() else {}
        return result, run.stderr.splitlines()[-1] if run.stderr.strip() else ""

    def killed(self, *line: str, when: str) -> None:
        """Run a Python program, and kill it and its Terraform as soon as it prints `when`."""
        with subprocess.Popen(
            [sys.executable, *line],
            env=environment(self.url),
            cwd=self.tree,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            assert run.stdout is not None
            assert any(when in line for line in run.stdout), f"never printed: {when}"
            os.killpg(run.pid, signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL

    def unlocked(self, message: str) -> dict[str, str]:
        """Release the lock that an error message names, and return what the next apply imports."""
        assert "state of dev: is locked by" in message
        result, _ = self.cabstand("unlock", message.rsplit("LOCK=", 1)[1].rstrip(")\n"))
        adopted: dict[str, str] = result["adopted"]
        return adopted

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """Outputs of the applied dev environment."""
        return {name: output["value"] for name, output in json.loads(self.terraform("dev", "output", "-json")).items()}


def copy_of_infra(folder: Path) -> Path:
    """Copy what Terraform reads, with a dummy zip of the function, whose code is not run."""
    terraform.copy(ROOT / "infra", folder)
    with zipfile.ZipFile(folder / "dist/lambda-arm64.zip", "w") as package:
        package.writestr(zipfile.ZipInfo("handler.py"), "def handler(event, context): return {}\n")
    return folder

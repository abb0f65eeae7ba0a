"""infra/ applied to the emulator, in a copy: the checkout's own states and plans stay as they are."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cabstand.errors import ConfigError, TaskError
from cabstand.local.emulator import access
from cabstand.local.functions import interpreters
from cabstand.local.stack import environment
from cabstand.local.stack.state import State

ENVIRONMENT = "dev"
# What infra/ reads of the package: the schedules, and the metrics and alarms.
DECLARED = ("src/cabstand/workflows/workflows.yaml", "src/cabstand/observability/catalogue.yaml")
# Settings of this process that tasks get, too: where trips come from, and when to retrain.
PASSED_ON = (
    "CABSTAND_TLC_",
    "CABSTAND_ZONES_",
    "CABSTAND_UBER_",
    "CABSTAND_DOWNLOAD_",
    "CABSTAND_MONITOR_",
    "CABSTAND_GATE_",
)
# Lambda's versions that the package is built for; the first one that is installed here runs it.
PYTHONS = ("3.13", "3.12")


def copy(infra: Path, folder: Path) -> Path:
    """Copy what Terraform reads of a checkout: infra/, the script that runs it, and what the modules upload."""
    if not (infra / "main.tf").is_file() or not (infra.parent / "scripts/terraform.py").is_file():
        hint = "run this in a checkout of the project, or give --infra: an installed package has no infra/"
        raise ConfigError("no Terraform here", where=infra, hint=hint)
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*_override.tf", "adopted.tf", "*.tfplan")
    shutil.copytree(infra, folder / "infra", ignore=ignored)
    for name in ("scripts/terraform.py", "requirements/mlflow.txt", *DECLARED):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(infra.parent / name, folder / name)
    (folder / "dist").mkdir()
    return folder


def package(state: State, infra: Path, *, quick: bool) -> None:
    """Build the function's zip for this processor, and let the copy apply it; `quick` takes the one in dist/."""
    checkout, tree = infra.absolute().parent, state.folder / "account"
    arch = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    out = tree / "dist" / f"lambda-{arch}.zip"
    version = _python()
    if quick and (built := checkout / "dist" / out.name).is_file():
        shutil.copy(built, out)
    else:
        words = ["--arch", arch, "--python", version, "--tree", str(state.folder / "build"), "--out", str(out)]
        _run(state, "package", [str(checkout / "scripts/lambda_package.py"), *words])
        shutil.rmtree(state.folder / "build")
    variables = tree / "infra/environments/emulator.tfvars"
    given: dict[str, Any] = {"api_architecture": arch, "api_package_path": f"../dist/{out.name}"}
    given |= {"api_runtime": f"python{version}", "task_settings": _passed_on()}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items())
    variables.write_text(variables.read_text(encoding="utf-8") + lines, encoding="utf-8")


def _passed_on() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}


def _python() -> str:
    for version in PYTHONS:
        if interpreters.find(version):
            return version
    return PYTHONS[0]


def bootstrap(state: State) -> None:
    """Make what an account needs once."""
    _run(state, "terraform", [str(state.folder / "account/scripts/terraform.py"), "bootstrap", "-y"])


def apply(state: State) -> None:
    """Apply the environment to the account, and keep its outputs."""
    script = str(state.folder / "account/scripts/terraform.py")
    _run(state, "terraform", [script, ENVIRONMENT, "apply", "-input=false", "-auto-approve"])
    shown = _run(state, "terraform", [script, ENVIRONMENT, "output", "-json"], capture=True)
    state.facts["outputs"] = {name: output["value"] for name, output in json.loads(shown).items()}


def client(state: State, service: str) -> Any:
    """Return a client of the account, with its root key."""
    return access.client(state.address("emulator"), service)


def _run(state: State, name: str, words: list[str], *, capture: bool = False) -> str:
    """Run a Python program in the copy, with its output in a log; raise a TaskError with the error in it."""
    given = environment.of(state)
    if "TF_PLUGIN_DIR" not in given and "TF_PLUGIN_CACHE_DIR" not in given:
        cache = state.folder.parent / "cache/terraform"  # the provider has 700 MB, and both roots need it
        cache.mkdir(parents=True, exist_ok=True)
        given["TF_PLUGIN_CACHE_DIR"] = str(cache)
    log = state.log(name)
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, *words],
            env=given,
            cwd=state.folder / "account",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else output,
            stderr=output,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_bytes()[begin:].decode(errors="replace").splitlines()
        raise TaskError(_gist(lines), where=f"{Path(words[0]).name} {' '.join(words[1:3])}")
    return done.stdout or ""


def _gist(lines: list[str]) -> str:
    """Return the first error among the lines of a log and what follows it, or else its end."""
    errors = [number for number, line in enumerate(lines) if "rror:" in line]
    chosen = lines[errors[0] : errors[0] + 8] if errors else lines[-8:]
    return " ".join(word for line in chosen for word in line.strip("│╷╵ ").split())[:600]

"""An account on an emulator, and Terraform run in it on a copy of infra/."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from cabstand.local.emulator import access
from cabstand.local.emulator.access import REGION, ROOT_KEYS, client
from cabstand.local.stack import terraform
from waiting import until

ROOT = Path(__file__).resolve().parents[1]
GITHUB = "https://token.actions.githubusercontent.com"


@dataclass
class Account:
    """An emulated account, the copy of infra/ that is applied to it, and the keys with which all of this is done."""

    url: str
    tree: Path
    keys: Mapping[str, str] | None = None  # none: the root user's

    def client(self, service: str) -> Any:
        return client(self.url, service, self.keys or ROOT_KEYS)

    def as_role(self, name: str, **claims: str) -> Account:
        """Return the same account for a role, which GitHub's token for a workflow of the repository may assume."""
        return replace(self, keys=github_session(self.url, name, claims))

    @property
    def environment(self) -> dict[str, str]:
        return access.environment(self.url) | (self.keys or ROOT_KEYS)

    def script(self, name: str, *words: str, code: int = 0, **variables: str) -> str:
        """Run a script of the copy with environment variables, expect an exit code, and return what it prints."""
        line = [sys.executable, str(self.tree / "scripts" / name), *words]
        env = self.environment | variables
        run = subprocess.run(line, env=env, capture_output=True, text=True, check=False, cwd=self.tree)
        assert run.returncode == code, f"{name} {' '.join(words)}: {run.stdout[-3000:]}{run.stderr[-3000:]}"
        return run.stderr if code else run.stdout

    def terraform(self, *words: str, code: int = 0) -> str:
        """Run scripts/terraform.py, expect an exit code, and return stdout, or stderr if the code is not 0."""
        return self.script("terraform.py", *words, code=code)

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
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.tree,
            input=typed,
        )
        assert run.returncode == code, f"cabstand {' '.join(words)}: {run.stdout[-3000:]}{run.stderr[-3000:]}"
        result = json.loads(run.stdout.splitlines()[-1]) if run.stdout.strip() else {}
        return result, run.stderr.splitlines()[-1] if run.stderr.strip() else ""

    def killed(self, *words: str, when: str, once: Callable[[], object] = lambda: True) -> None:
        """Run a Python program, and kill it and its Terraform once it has printed `when` and `once` holds."""
        with subprocess.Popen(
            [sys.executable, *words],
            env=self.environment,
            cwd=self.tree,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            assert run.stdout is not None
            printed = []
            for line in run.stdout:
                printed.append(line)
                if when in line:
                    break
            assert when in printed[-1], f"never printed: {when}\n{''.join(printed[-60:])}"
            until(once)
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


def session_keys(credentials: Mapping[str, Any]) -> dict[str, str]:
    """Return what STS answered as environment variables."""
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def github_session(url: str, role: str, claims: Mapping[str, Any], prefix: str = "cabstand-") -> dict[str, str]:
    """Return the keys that a workflow of GitHub gets for a role of the bootstrap."""
    sts = boto3.client("sts", region_name=REGION, endpoint_url=url, config=Config(signature_version=UNSIGNED))
    answer = sts.assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::123456789012:role/{prefix}{role}",
        RoleSessionName="GitHubActions",
        WebIdentityToken=github_token(claims),
    )
    return session_keys(answer["Credentials"])


def github_token(claims: Mapping[str, Any]) -> str:
    """Return a token such as GitHub gives a workflow of this repository; the emulator does not check its signature."""
    ids = {"repository_id": "789", "repository_owner_id": "456"}
    usual = {"iss": GITHUB, "aud": "sts.amazonaws.com", "exp": time.time() + 300, **ids}
    parts = [{"alg": "none", "typ": "JWT"}, usual | claims]
    head, body = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{body}.unsigned"


def copy_of_infra(folder: Path) -> Path:
    """Copy what Terraform reads, with a dummy zip of the function, whose code is not run."""
    terraform.copy(ROOT / "infra", folder)
    for name in ("roles_page.py", "plans.py"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts")
    pack_function(folder)
    return folder


def pack_function(folder: Path, text: str = "def handler(event, context): return {}\n") -> None:
    """Write the dummy zip of the function."""
    with zipfile.ZipFile(folder / "dist/lambda-arm64.zip", "w") as package:
        package.writestr(zipfile.ZipInfo("handler.py"), text)

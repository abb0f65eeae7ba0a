"""Run the GitHub workflows on this machine and an emulated account: `ci_local.py ACT [WORKFLOW...]`.

`act` evaluates conditions, matrices, inputs, outputs and reusable workflows as GitHub does, and runs the steps of a job
in a copy of the repository; ci_steps.py says what differs. EVENT and INPUTS (such as "environment=prod accept=true")
choose how the workflows are started, and ALL=1 also runs the make targets that are lanes of their own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ci_steps
import github_api

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "build/ci-local.log"
# Actions, each with what stands in for it. `act` itself copies the repository instead of actions/checkout.
STAND_INS = {
    "actions/cache": "skipped",
    "actions/download-artifact": "skipped",
    "actions/setup-python": "skipped",
    "actions/upload-artifact": "skipped",
    "anchore/sbom-action": "skipped",
    "anchore/scan-action": "skipped",
    "sigstore/cosign-installer": "skipped",
    "hashicorp/setup-terraform": "skipped",
    "aws-actions/configure-aws-credentials": "credentials",
}
# Workflows, in the order in which they run here, each with the event that starts it.
EVENTS = {
    "ci": "pull_request",
    "release": "push",
    "batch": "workflow_dispatch",
    "images": "push",
    "infra": "pull_request",
    "plan": "pull_request",
    "deploy": "push",
    "rollback": "workflow_dispatch",
}
ACCOUNT = "123456789012"
ADMINISTRATOR = {
    "AWS_ACCESS_KEY_ID": "emulator",
    "AWS_SECRET_ACCESS_KEY": "emulator",  # pragma: allowlist secret
    "AWS_DEFAULT_REGION": "us-east-1",
    "GITHUB_REPOSITORY": ci_steps.REPOSITORY,
    "GITHUB_REPOSITORY_ID": ci_steps.REPOSITORY_ID,
    "GITHUB_REPOSITORY_OWNER_ID": ci_steps.OWNER_ID,
}
SHOWN = re.compile(r"✅ .* Main|❌|🏁|\| (skipped|assumed|saved|Apply complete|error|Error)")


def run(act: str, names: list[str]) -> int:
    """Run workflows one after another on one account; return the exit code of the first that fails."""
    LOG.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, emulator() as address, LOG.open("w", encoding="utf-8") as log:
        tree, env = repository(Path(folder) / "cabstand"), environment(Path(folder), address)
        bootstrap = [sys.executable, "scripts/terraform.py", "bootstrap", "-y"]
        if code := told(bootstrap, tree, env | ADMINISTRATOR, log):
            return code
        for name in names:
            event = env.get("EVENT") or EVENTS[name]
            print(f"=== {name}, started by {event}", flush=True)  # noqa: T201
            if name == "rollback" and (code := told(deployment(), tree, env | ADMINISTRATOR, log)):
                return code
            if code := told(command(act, tree, name, event), tree, env, log):
                print(f"ci-local: {name} failed; the whole log is in {LOG}", file=sys.stderr)  # noqa: T201
                return code
        skipped = Path(env["CI_LOCAL_SKIPPED"])
        lines = dict.fromkeys(skipped.read_text().splitlines()) if skipped.exists() else []
    print("\n".join(["=== succeeded; not run here:", *lines]))  # noqa: T201
    return 0


@contextmanager
def emulator() -> Iterator[str]:
    """Serve an empty account, and yield its address."""
    words = [sys.executable, "-m", "cabstand.local.emulator"]
    with subprocess.Popen(words, env=clean(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def repository(tree: Path) -> Path:
    """Copy the files that git knows, with uncommitted changes, into a repository with one commit on main."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    git = ["git", "-c", "user.name=ci-local", "-c", "user.email=ci-local@example.org"]
    url = f"https://github.com/{ci_steps.REPOSITORY}"
    for words in ("init -q -b main", "add -A", "commit -q -m All", f"remote add origin {url}"):
        subprocess.run([*git, *words.split()], cwd=tree, check=True)
    return tree


def clean() -> dict[str, str]:
    """Return this process's environment without what could reach a real account or repository."""
    prefixes = ("AWS_", "GITHUB_", "ACTIONS_", "CABSTAND_", "TF_VAR", "TF_DATA", "MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def environment(folder: Path, address: str) -> dict[str, str]:
    """Return the environment of the jobs, in which `make` is ci_steps.py."""
    shim = folder / "bin/make"
    shim.parent.mkdir()
    shim.write_text('#!/bin/sh\nexec "$CI_LOCAL_PYTHON" "$CI_LOCAL_SCRIPT" make "$@"\n')
    shim.chmod(0o755)
    return clean() | {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": address,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_apply": "-parallelism=30",
        "CI_LOCAL_PYTHON": sys.executable,
        "CI_LOCAL_SCRIPT": str(ROOT / "scripts/ci_steps.py"),
        "CI_LOCAL_SKIPPED": str(folder / "skipped"),
        "CI_LOCAL_GITHUB_API": github_api.serve(),
        "CI_LOCAL_MAKE": str(shutil.which("make")),
    }


def command(act: str, tree: Path, name: str, event: str) -> list[str]:
    """Return the command line that runs one workflow."""
    payload = tree.parent / "event.json"
    payload.write_text(json.dumps(event_of(event) | special(name)))
    line = [act, event, "-W", f".github/workflows/{name}.yml", "-e", str(payload), "-P", "ubuntu-24.04=-self-hosted"]
    line += ["-P", "ubuntu-24.04-arm=-self-hosted"]
    line += ["--var", f"AWS_ACCOUNT_ID={ACCOUNT}", "-s", "GITHUB_TOKEN=local", "--concurrent-jobs", "1"]
    line += ["--no-cache-server", "--action-cache-path", str(tree.parent / "act")]
    for action, inside, pin in sorted(used()):
        line += ["--local-repository", f"{action}@{pin}={stand_in(tree.parent / 'actions', action, inside)}"]
    return line


def stand_in(folder: Path, action: str, inside: str) -> Path:
    """Lay down what stands in for an action, or for one `inside` its repository, and return the repository's folder."""
    repository = folder / action
    (repository / inside).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "scripts/workflows/actions" / STAND_INS[action] / "action.yml", repository / inside)
    return repository


def deployment() -> list[str]:
    """Return the command line that deploys a second version, so that there is one to return from."""
    code = (
        "import subprocess, sys; from cabstand.io import aws; "
        "aws.call('lambda', 'update_function_configuration', FunctionName='cabstand-dev-api', Description='another'); "
        "sys.exit(subprocess.call([sys.executable, '-m', 'cabstand', 'deploy', '--watch', '0']))"
    )
    return [sys.executable, "-c", code]


def event_of(event: str) -> dict[str, Any]:
    """Return what GitHub would tell about an event."""
    inputs = dict(pair.split("=", 1) for pair in os.environ.get("INPUTS", "").split())
    head = {"repo": {"full_name": ci_steps.REPOSITORY}, "ref": "change"}
    pull_request = {"pull_request": {"number": 1, "head": head, "base": {"ref": "main"}}, "number": 1}
    return {"ref": "refs/heads/main", "inputs": inputs} | (pull_request if event == "pull_request" else {})


def special(name: str) -> dict[str, Any]:
    """Return what is special in a workflow's event: a tag starts a release, and a person chooses a task."""
    if name == "release":
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        return {"ref": f"refs/tags/v{version}"}
    if name == "batch" and not os.environ.get("INPUTS"):
        return {"inputs": {"task": "compare", "environment": "dev"}}
    return {}


def used() -> set[tuple[str, str, str]]:
    """Return the actions that the workflows use, each as repository, folder in it and pin, but those `act` replaces."""
    text = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    found = set(re.findall(r"uses: ([\w-]+/[\w-]+)/?([\w/-]*)@(\w+)", text))
    return {(action, inside, pin) for action, inside, pin in found if action != "actions/checkout"}


def told(line: list[str], tree: Path, env: dict[str, str], log: Any) -> int:
    """Run a command, log its output, print the lines that tell the course, and return the exit code."""
    last: list[str] = []
    with subprocess.Popen(line, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        for text in run.stdout or ():
            log.write(text)
            last = [*last[-99:], text]
            if SHOWN.search(text):
                print(text, end="", flush=True)  # noqa: T201
    if run.returncode:
        print("".join(last))  # noqa: T201
    return run.returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:] or list(EVENTS)))

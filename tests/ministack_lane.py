"""Apply dev to MiniStack, and fail if what it lacks is not what infra/README.md lists: `ministack_lane.py PYTHON`.

PYTHON is an interpreter with the packages of requirements/ministack.txt.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from cloud_account import ROOT, Account, client, copy_of_infra

START_S = 60
# What a plan reads and MiniStack does not have, replaced in the copy: without it, nothing could be applied.
PARAMETER = "/emulator/server-image"
OVERRIDES = {
    "network": """data "aws_ec2_instance_type_offerings" "server" {
  count = 0
}

locals {
  offering = data.aws_availability_zones.available.names
}
""",
    "tracking": f"""data "aws_ssm_parameter" "server_image" {{
  name = "{PARAMETER}"
}}
""",
}


def main(python: str) -> int:
    """Print what applied and what did not; return 1 if the table says otherwise."""
    with tempfile.TemporaryDirectory(prefix="ministack-") as scratch, emulator(python, Path(scratch)) as url:
        tree = Path(scratch, "tree")
        tree.mkdir()
        planned, held, errors = applied(Account(url, copy_of_infra(tree)))
    lacking = planned - held
    print(f"MiniStack {version(python)}: {len(held)} of dev's {len(planned)} resources apply")
    known = listed(version(python), planned)
    for address in sorted(lacking - known):
        print(f"does not apply, and infra/README.md does not say so: {address}")
    for address in sorted(known - lacking):
        print(f"applies now, and infra/README.md says that it does not: {address}")
    if lacking != known:
        print(errors, file=sys.stderr)
    return int(lacking != known)


@contextmanager
def emulator(python: str, scratch: Path) -> Iterator[str]:
    """Serve an empty account on a free port of this machine alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "SERVICES"}}
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # else it opens a port to every network
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": "123456789012",
        "TMPDIR": str(scratch),
    }
    url = f"http://127.0.0.1:{port}"
    with (
        (scratch / "log").open("w") as log,
        subprocess.Popen(
            [python, "-m", "ministack"], env=kept | settings, stdout=log, stderr=log, cwd=scratch
        ) as server,
    ):
        try:
            wait_for(url, server)
            yield url
        finally:
            server.terminate()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            client(url, "sts").get_caller_identity()
        except (BotoCoreError, ClientError):
            time.sleep(0.5)
        else:
            return
    raise SystemExit("MiniStack does not start")


def applied(account: Account) -> tuple[set[str], set[str], str]:
    """Apply dev; return the addresses of what is planned and of what the state holds then, and Terraform's errors."""
    account.terraform("bootstrap", "-y")
    for module, text in OVERRIDES.items():
        (account.tree / f"infra/modules/{module}/emulator_override.tf").write_text(text)
    account.client("ssm").put_parameter(Name=PARAMETER, Value="ami-0123456789abcdef0", Type="String")
    planned = {one["address"] for one in account.plan("dev")["resource_changes"] if one["mode"] == "managed"}
    done = subprocess.run(
        [sys.executable, "scripts/terraform.py", "dev", "apply", "-input=false", str(account.tree / "dev.tfplan")],
        env=account.environment,
        cwd=account.tree,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    held = set(account.terraform("dev", "state", "list").splitlines())
    return planned, held & planned, done.stderr


def version(python: str) -> str:
    code = "import importlib.metadata; print(importlib.metadata.version('ministack'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def listed(release: str, planned: set[str]) -> set[str]:
    """Return the addresses that infra/README.md says this version lacks: with all keys where an entry has none."""
    page = (ROOT / "infra/README.md").read_text()
    rows = re.findall(rf"^\| MiniStack {re.escape(release)} \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    entries = {entry for row in rows for entry in re.findall(r"`([^`]+)`", row)}
    without_key = {address: address.partition("[")[0] for address in planned}
    return {address for address in planned if entries & {address, without_key[address]}} | {
        entry for entry in entries if entry not in planned and entry not in without_key.values()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""The steps of a release around `make deploy`: `release.py begin | check | undo | prune ENVIRONMENT`.

`begin` saves which version the alias `live` points to, `check` tests whether the service answers, `undo` points the
alias back to the saved version, and `prune` deletes versions that are too old to go back to. A canary would move the
same alias after `check`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cabstand.account import versions
from cabstand.costs import charges
from cabstand.errors import CabstandError, ConfigError, TaskError
from cabstand.io import aws
from cabstand.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
ALIAS = "live"
MAX_WAIT_S = 60.0
ROW = ("pickup_zone=74", "dropoff_zone=42", "pickup_at=2023-03-01T08:15:00")


def saved_version(environment: str) -> Path:
    """Return the file with the version before the release."""
    return ROOT / f"build/release-{environment}.json"


def begin(environment: str) -> str:
    """Save the current version."""
    function = f"cabstand-{environment}-api"
    version = version_of(function)
    file = saved_version(environment)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"function": function, "version": version}), encoding="utf-8")
    return f"{function} runs version {version}" if version else f"{function} does not exist yet"


def version_of(function: str) -> str:
    """Return the version that the alias points to; empty before the first release."""
    alias = aws.call("lambda", "get_alias", missing_ok=True, FunctionName=function, Name=ALIAS)
    return str(alias.get("FunctionVersion", ""))


def undo(environment: str) -> str:
    """Point the alias, with all of its traffic, back to the saved version."""
    file = saved_version(environment)
    if not file.is_file():
        return "nothing was released: nothing to undo"
    saved = json.loads(file.read_text(encoding="utf-8"))
    function, version = saved["function"], saved["version"]
    if not version:
        return f"{function} had no earlier version: nothing to go back to"
    routing = {"AdditionalVersionWeights": {}}
    aws.call(
        "lambda", "update_alias", FunctionName=function, Name=ALIAS, FunctionVersion=version, RoutingConfig=routing
    )
    return f"{function} runs version {version} again"


def prune(environment: str) -> str:
    """Delete the versions that are too old to go back to."""
    function = f"cabstand-{environment}-api"
    deleted, kept = versions.prune(function, keep=charges.KEPT_VERSIONS)
    return f"{function}: deleted {len(deleted)} old versions, kept {', '.join(kept)}"


def check(environment: str) -> str:
    """Check the environment's service."""
    return check_service(output(environment, "endpoint"))


def check_service(url: str) -> str:
    """Check a service: alive, refusing requests without a key, and predicting if CABSTAND_API_KEY is set.

    A service without a published model passes if it is alive.

    Raises
    ------
    TaskError
        If it does not answer as it should within a minute.
    """
    expect(url, "/healthz", 200)
    ready = expect(url, "/readyz", 200, 503)
    if ready == 503:
        return f"{url} is alive; no model is published yet"
    expect(url, "/v1/trip-duration/predict", 401, body=b'{"rows": []}')
    if not Settings().api_key.get_secret_value():
        return f"{url} is ready and refuses requests without a key (prediction not tested: CABSTAND_API_KEY is not set)"
    words = [sys.executable, "-m", "cabstand", "predict", "--url", url, *ROW]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise TaskError(f"no prediction: {done.stderr.strip()}", where=url)
    return f"{url} is ready and predicts: {done.stdout.strip()}"


def expect(url: str, path: str, *wanted: int, body: bytes | None = None) -> int:
    """Return the status once it is one of those wanted; retried, because a new version starts cold."""
    end = time.monotonic() + MAX_WAIT_S
    while (found := status(url + path, body)) not in wanted:
        if time.monotonic() >= end:
            hint = "see the function's log"
            raise TaskError(f"answers {found or 'nothing'}, not {wanted[0]}", where=url + path, hint=hint)
        time.sleep(2)
    return found


def status(url: str, body: bytes | None) -> int:
    """Return the HTTP status of one request, 0 if there is no answer."""
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def output(environment: str, name: str) -> Any:
    """Return one output of the environment's Terraform."""
    words = [sys.executable, str(ROOT / "scripts/terraform.py"), environment, "output", "-json", name]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"no output {name}", where=environment, hint="deploy first")
    return json.loads(done.stdout.splitlines()[-1])  # a first `init` prints before it


def main(words: list[str]) -> int:
    """Run one step and return the exit code; an error is one line."""
    steps = {"begin": begin, "check": check, "undo": undo, "prune": prune}
    if len(words) != 2 or words[0] not in steps or not (ROOT / f"infra/environments/{words[1]}.tfvars").is_file():
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    try:
        print(steps[words[0]](words[1]))  # noqa: T201
    except CabstandError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

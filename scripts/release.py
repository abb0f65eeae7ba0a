"""A release around `make deploy`: `release.py begin | check | undo ENVIRONMENT`.

`begin` notes which version the alias `live` points to, `check` asks the service whether it answers, `undo` points the
alias back to what was noted. Between `check` and the end of a release there is room for a canary: the alias is what it
moves.
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

from cabstand.errors import CabstandError, ConfigError, TaskError
from cabstand.io import aws
from cabstand.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
ALIAS = "live"
PATIENCE_S = 60.0
ROW = ("pickup_zone=74", "dropoff_zone=42", "pickup_at=2023-03-01T08:15:00")


def note_of(environment: str) -> Path:
    """Where the version is noted between two steps."""
    return ROOT / f"build/release-{environment}.json"


def begin(environment: str) -> str:
    """Note what answers now."""
    function = f"cabstand-{environment}-api"
    note = {"function": function, "version": version_of(function)}
    place = note_of(environment)
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(note), encoding="utf-8")
    return f"{function} answers with version {note['version']}" if note["version"] else f"{function} is not there yet"


def version_of(function: str) -> str:
    """Return the version that the alias points to, or nothing before the first release."""
    functions = aws.client("lambda")
    with aws.refusals(f"function {function}"):
        try:
            return str(functions.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"])
        except functions.exceptions.ResourceNotFoundException:
            return ""


def undo(environment: str) -> str:
    """Point the alias back, all of its traffic, if it was moved."""
    place = note_of(environment)
    if not place.is_file():
        return "nothing was released: nothing to undo"
    note = json.loads(place.read_text(encoding="utf-8"))
    if not note["version"]:
        return f"{note['function']} had no version before: nothing to go back to"
    with aws.refusals(f"function {note['function']}"):
        aws.client("lambda").update_alias(
            FunctionName=note["function"],
            Name=ALIAS,
            FunctionVersion=note["version"],
            RoutingConfig={"AdditionalVersionWeights": {}},
        )
    return f"{note['function']} answers with version {note['version']} again"


def check(environment: str) -> str:
    """Ask the service; its model may be missing only where none was ever published."""
    return check_service(output(environment, "endpoint"))


def check_service(url: str) -> str:
    """Ask a service: alive, refusing who has no key, and with a key (CABSTAND_API_KEY) predicting.

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
        return f"{url} is ready and refuses who has no key (no CABSTAND_API_KEY: no prediction was asked for)"
    words = [sys.executable, "-m", "cabstand", "predict", "--url", url, *ROW]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise TaskError(f"no prediction: {done.stderr.strip()}", where=url)
    return f"{url} is ready and predicts: {done.stdout.strip()}"


def expect(url: str, path: str, *wanted: int, body: bytes | None = None) -> int:
    """Return the status of one of those wanted, asking again for a while: a new version starts cold."""
    end = time.monotonic() + PATIENCE_S
    while (found := status(url + path, body)) not in wanted:
        if time.monotonic() >= end:
            hint = "the function's log tells why"
            raise TaskError(f"answers {found or 'nothing'}, not {wanted[0]}", where=url + path, hint=hint)
        time.sleep(2)
    return found


def status(url: str, body: bytes | None) -> int:
    """Return the status of one request, 0 without an answer."""
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
    return json.loads(done.stdout.splitlines()[-1])  # before it, what a first `init` says


def main(words: list[str]) -> int:
    """Take one step and return the exit code; an error of ours is one line."""
    steps = {"begin": begin, "check": check, "undo": undo}
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
